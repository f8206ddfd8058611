import { BitsClientError } from '../../uploader/client-error.js'
import { AtomicFile } from '../../util/atomic-file.js'
import { asError } from '../../util/errors.js'
import type { ReplySink } from './reply-sink.js'
import { type FileTarget, replyTarget } from './reply-target.js'
import { openStreamSink } from './stream-sink.js'

export function memorySink(): ReplySink {
  let chunks: Buffer[] = []
  return {
    write: async (chunk) => {
      chunks.push(chunk)
    },
    clear: async () => {
      chunks = []
    },
    finish: async () => Buffer.concat(chunks),
    close: async () => {},
  }
}

/**
 * Checks that a reply can be written to a path.
 *
 * @param source path of the file that is uploaded, if it is a file.
 * @throws OptionError when `replyTo` is a directory, or the source. BitsClientError, from here and from the sink:
 * fatal, and without a packet, because the server is not at fault.
 */
export async function openSink(
  replyTo: string,
  source: string | undefined,
  signal: AbortSignal | undefined,
): Promise<ReplySink> {
  try {
    const target = await replyTarget(replyTo, source)
    return local(target.kind === 'file' ? fileSink(target) : await openStreamSink(target.path, signal))
  } catch (error) {
    throw error instanceof TypeError ? error : localFault(error)
  }
}

/** A file that appears under its name only when it is complete. */
function fileSink(target: FileTarget): ReplySink {
  let draft: AtomicFile | undefined
  const drafted = async (): Promise<AtomicFile> => {
    draft ??= await AtomicFile.create(target)
    return draft
  }
  return {
    write: async (chunk, position) => (await drafted()).write(chunk, position),
    clear: async () => draft?.clear(),
    finish: async () => {
      await (await drafted()).publish()
      draft = undefined
      return undefined
    },
    close: async () => {
      const left = draft
      draft = undefined
      await left?.discard()
    },
  }
}

function local(sink: ReplySink): ReplySink {
  return {
    write: (chunk, position) => sink.write(chunk, position).catch(rethrow),
    clear: () => sink.clear().catch(rethrow),
    finish: () => sink.finish().catch(rethrow),
    close: () => sink.close().catch(rethrow),
  }
}

const rethrow = (error: unknown): never => {
  throw localFault(error)
}

const localFault = (cause: unknown): BitsClientError =>
  cause instanceof BitsClientError
    ? cause
    : new BitsClientError(`The reply cannot be written: ${asError(cause).message}.`, { fatal: true, cause })
