/** Describes a value in a message: a string or number itself, of an object its class. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value)
  if (typeof value === 'function') return `the function or class ${value.name || 'without a name'}`
  if (typeof value !== 'object' || value === null) return String(value)
  const maker: unknown = Reflect.get(value, 'constructor')
  const name = typeof maker === 'function' ? maker.name : ''
  return name === '' || name === 'Object' ? 'an object' : `an object of class ${name}`
}
