import type { SessionStore } from '../../types/session.js'

/** Two stores that share their sessions, as two processes have them. */
export interface LocksUnderTest {
  /** Empty and not open yet, like {@link other}. */
  readonly one: SessionStore
  readonly other: SessionStore
  /**
   * Makes one of the stores stop renewing its locks, as if its process had been killed or suspended at that moment. The
   * store is not used again, unless {@link wake} exists.
   */
  die(store: SessionStore): Promise<void>
  /**
   * Makes a store that died work again, like a suspended process that resumes; optional. Without it, lost locks are not
   * tested.
   */
  wake?(store: SessionStore): Promise<void>
  /** Called after each test, after both stores were closed; optional. */
  remove?(): Promise<void>
}
