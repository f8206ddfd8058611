import type { ServeFlags } from './flags.js'

/** Where the live page is unless `--live-path` says otherwise. */
const LIVE_PATH = '/live'

/** The URL path of the live page; `undefined` when there is none. */
export const livePathOf = ({ live, livePath }: Pick<ServeFlags, 'live' | 'livePath'>): string | undefined =>
  livePath ?? (live && LIVE_PATH)
