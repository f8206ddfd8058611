import type { FileSystem } from '../util/fs.js'
import { processWideMap } from '../util/process-wide.js'
import type { SessionFolder } from './session-folder.js'
import { SessionJournal } from './session-journal.js'

interface Opened {
  count: number
  readonly journal: Promise<SessionJournal>
  /** Set when the last store that used it is closed. */
  closing?: Promise<void>
}

/** The journals of this process, by directory: two stores of one directory must not write to it independently. */
const journals = processWideMap<Opened>('journals')

export interface JournalHandle {
  readonly journal: SessionJournal
  readonly release: () => Promise<void>
}

/**
 * Opens the journal of a folder that this process has to itself, or shares the one that it has open.
 *
 * @param place identity of the folder: its path may have led to another one before.
 */
export async function openJournal(
  folder: SessionFolder,
  place: string,
  fs: FileSystem,
): Promise<JournalHandle> {
  let opened = journals.get(place)
  while (opened?.closing) {
    await opened.closing.catch(() => {})
    opened = journals.get(place)
  }
  opened ??= { count: 0, journal: SessionJournal.open(folder, fs) }
  journals.set(place, opened)
  opened.count++
  const handle = opened
  const release = async () => {
    if (--handle.count > 0) return
    // Waits until pending writes are in the file before it is opened again.
    handle.closing = handle.journal
      .then(
        (journal) => journal.close(),
        () => {},
      )
      .finally(() => journals.delete(place))
    await handle.closing
  }
  try {
    return { journal: await handle.journal, release }
  } catch (error) {
    await release()
    throw error
  }
}

/** @param place identity of the folder. */
export const isJournalOpen = (place: string): boolean => journals.has(place)
