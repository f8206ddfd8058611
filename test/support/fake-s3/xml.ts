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

/** An XML document. A list becomes elements of one name. */
export const element = (name: string, value: Content): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${tag(name, value)}`

/** What is within the elements of a name. */
export const listOf = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map(([, inner]) => inner ?? '')

/** The same, as texts. */
export const textsOf = (xml: string, name: string): string[] =>
  listOf(xml, name).map((text) =>
    text.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&'),
  )
