/** A property of a value of unknown type. */
export function property(value: unknown, name: PropertyKey): unknown {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
    ? Reflect.get(value, name)
    : undefined
}
