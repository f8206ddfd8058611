/** Misspellings further away than this are more likely another word. */
const MAX_DISTANCE = 2
/** Shorter abbreviations fit too many names. */
const MIN_ABBREVIATION = 3

/** The name that was most likely meant by `wrong`: in another case, abbreviated, or misspelled. */
export function closestName(wrong: string, names: readonly string[]): string | undefined {
  const lower = wrong.toLowerCase()
  const sameLetters = names.find((name) => name.toLowerCase() === lower)
  if (sameLetters !== undefined) return sameLetters
  const abbreviated = names.filter((name) => isAbbreviation(lower, name.toLowerCase()))
  if (abbreviated.length === 1) return abbreviated[0]
  const ranked = names
    .filter((name) => Math.abs(name.length - wrong.length) <= MAX_DISTANCE)
    .map((name) => ({ name, distance: editDistance(lower, name.toLowerCase()) }))
    .sort((one, other) => one.distance - other.distance)
  return ranked[0] && ranked[0].distance <= MAX_DISTANCE ? ranked[0].name : undefined
}

const isAbbreviation = (short: string, name: string): boolean =>
  short.length >= MIN_ABBREVIATION && name.startsWith(short)

/** Levenshtein distance, row by row. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1]
    for (const [column, otherLetter] of [...other].entries()) {
      const substituted = (row[column] ?? 0) + (letter === otherLetter ? 0 : 1)
      next.push(Math.min(substituted, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
