/**
 * A map that all copies of this package share that this process has loaded, such as one for `import` and one for
 * `require`.
 */
export function processWideMap<Value>(name: string): Map<string, Value> {
  const key = Symbol.for(`express-bits-upload.${name}`)
  const known: unknown = Reflect.get(process, key)
  if (known instanceof Map) return known
  const created = new Map<string, Value>()
  Reflect.set(process, key, created)
  return created
}
