import { type Entry, nodeEntry, type Programs } from './contender.js'
import { nginxEntry } from './nginx.js'
import { bitsUploadIn, put, tusUpload } from './send-file.js'

const WATCHED = { BENCH_EVENT_LOOP: '1' }

export const MIB = 1024 * 1024

/** All servers that receive uploads, for a scenario with fragments of this many bytes. */
export function receivers(programs: Programs, fragmentSize: number): Entry[] {
  const nginx = nginxEntry()
  return [
    nodeEntry('plain server', programs, 'plain', put, (directory) => [directory]),
    middleware('middleware, none', programs, fragmentSize, 'none'),
    middleware('middleware, publish', programs, fragmentSize, 'publish'),
    nodeEntry('@tus/server', programs, 'tus', tusUpload, (directory) => [directory]),
    ...(nginx ? [nginx] : []),
  ]
}

/** Further contenders for small files. */
export const smallFileReceivers = (programs: Programs): Entry[] => [
  middleware('middleware, none, Express prototypes', programs, 8 * MIB, 'none', 'prototypes'),
  // The limit for small files: three packets through Node and Express that are not processed.
  {
    ...nodeEntry('three Acks, nothing kept', programs, 'acks', bitsUploadIn(8 * MIB), () => []),
    hasNoFiles: true,
  },
]

/** With measurement of their event-loop turns: garbage collection makes some longer in every server. */
export const watchedReceivers = (programs: Programs): Entry[] => [
  nodeEntry('plain server, watched', programs, 'plain', put, (directory) => [directory], WATCHED),
  nodeEntry(
    'middleware, none, watched',
    programs,
    'middleware',
    bitsUploadIn(8 * MIB),
    (directory) => [directory, 'none', 'recommended'],
    WATCHED,
  ),
  {
    ...nodeEntry(
      'three Acks, nothing kept, watched',
      programs,
      'acks',
      bitsUploadIn(8 * MIB),
      () => [],
      WATCHED,
    ),
    hasNoFiles: true,
  },
]

/** Apps that answer a GET: with an empty middleware, and with this one. */
export const apps = (programs: Programs): Entry[] => [
  nodeEntry('app with an empty middleware', programs, 'hello', put, () => []),
  nodeEntry('app with the middleware', programs, 'hello', put, (directory) => [directory]),
]

const middleware = (name: string, programs: Programs, fragmentSize: number, ...args: string[]): Entry =>
  nodeEntry(name, programs, 'middleware', bitsUploadIn(fragmentSize), (directory) => [directory, ...args])
