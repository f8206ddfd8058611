import { closestName } from '../../../validation/closest-name.js'
import { usageError } from '../../output.js'

/** Creates the error for an unknown key in a file, which suggests the most similar known one. */
export function unknownKey(where: string, key: string, known: readonly string[]): Error {
  const kebab = key.replace(/^--/, '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  const meant = closestName(kebab, known)
  const advice = meant === undefined ? `the keys are ${known.join(', ')}.` : `did you mean "${meant}"?`
  return usageError(`${where}: there is no key ${JSON.stringify(key)}: ${advice}`)
}
