type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> }

/** A copy without the properties that are `undefined`: spread over other values, it keeps those. */
export function defined<T extends object>(values: T): Defined<T> {
  const result: Defined<T> = {}
  for (const name in values) {
    const value = values[name]
    if (isDefined(value)) result[name] = value
  }
  return result
}

const isDefined = <T>(value: T): value is Exclude<T, undefined> => value !== undefined
