import type { SessionStore } from '../../types/session.js'

/** Two stores that share their sessions, as two processes have them. */
export interface LocksUnderTest {
  /** Empty and not open yet, like {@link other}. */
  readonly one: SessionStore
  readonly other: SessionStore
  /**
   * Makes one of the stores stop renewing its locks, as if its process had been killed or suspended at that moment. The
   * store is not used again, unless {@link wake} is there.
   */
  die(store: SessionStore): Promise<void>
  /**
   * Makes a store that died work again, as a suspended process does when it continues; optional. Without it, nothing is
   * tested about locks that were lost.
   */
  wake?(store: SessionStore): Promise<void>
  /** Called after each test, after both stores were closed; optional. */
  remove?(): Promise<void>
}
