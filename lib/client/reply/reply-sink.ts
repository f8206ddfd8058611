/** Where a reply goes. */
export interface ReplySink {
  write(chunk: Buffer, position: number): Promise<void>
  /** Discards what was written. */
  clear(): Promise<void>
  /** @returns the reply, if it is in memory. */
  finish(): Promise<Buffer | undefined>
  /** Discards an incomplete reply; may be called twice. */
  close(): Promise<void>
}
