/** Where a reply goes. */
export interface ReplySink {
  write(chunk: Buffer, position: number): Promise<void>
  /** What was written is void. */
  clear(): Promise<void>
  /** @returns the reply, if it was kept in memory. */
  finish(): Promise<Buffer | undefined>
  /** Gives up what is not finished; may be called twice. */
  close(): Promise<void>
}
