import { ignoreNotFound } from '../../util/errors.js'
import { type FileSystem, type Sync, writeText } from '../../util/fs.js'

/**
 * Identifies a publication by move or copy after a crash. It is written before the file gets its name. If it exists and
 * the staged file does not, the file was published.
 */
export interface MovedMarker {
  /** Bytes of the file; `undefined` if a crash truncated the marker. */
  readonly size: number | undefined
  /** The file was copied: it is published once its copy is no longer under its temporary name. */
  readonly isCopy: boolean
}

export const movedMarkerPath = (staged: string): string => `${staged}.moved`

export async function writeMovedMarker(
  staged: string,
  { size, isCopy }: MovedMarker,
  fs: FileSystem,
  sync: Sync | undefined,
): Promise<void> {
  await writeText(movedMarkerPath(staged), 'w', `${isCopy ? 'copy' : 'move'} ${size}\n`, sync, fs)
}

export async function readMovedMarker(staged: string, fs: FileSystem): Promise<MovedMarker | undefined> {
  const text = await fs.readFile(movedMarkerPath(staged), 'latin1').catch(ignoreNotFound)
  if (text === undefined) return undefined
  const [, way, size] = /^(move|copy) (\d+)\n$/.exec(text) ?? []
  return { size: size === undefined ? undefined : Number(size), isCopy: way === 'copy' }
}
