import { Duplex } from 'node:stream'

/** A connection with nobody at its other end, for trying out what Node does with one. */
export class InMemorySocket extends Duplex {
  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done()
  }
}
