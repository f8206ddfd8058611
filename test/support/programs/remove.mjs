import { rm } from 'node:fs/promises'

export default async function removePrograms() {
  const directory = process.env.BITS_TEST_PROGRAMS
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
}
