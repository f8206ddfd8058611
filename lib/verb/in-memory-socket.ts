import { Duplex } from 'node:stream'

/** A connection without a peer, for testing how Node treats one. */
export class InMemorySocket extends Duplex {
  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done()
  }
}
