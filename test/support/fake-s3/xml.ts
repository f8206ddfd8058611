type Content = string | Content[] | { readonly [name: string]: Content }

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

const content = (value: Content): string => {
  if (typeof value === 'string') return escaped(value)
  if (Array.isArray(value)) return value.map(content).join('')
  return Object.entries(value)
    .map(([name, inner]) => (Array.isArray(inner) ? inner : [inner]).map((one) => tag(name, one)).join(''))
    .join('')
}

const tag = (name: string, value: Content): string => `<${name}>${content(value)}</${name}>`

/** Formats an XML document. A list becomes several elements of the same name. */
export const element = (name: string, value: Content): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${tag(name, value)}`

/** The contents of all elements with this name. */
export const listOf = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map(([, inner]) => inner ?? '')

/** The same as plain text. */
export const textsOf = (xml: string, name: string): string[] =>
  listOf(xml, name).map((text) =>
    text.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&'),
  )
