/** Files, and their total size. */
export class SizedFileMap extends Map<string, Buffer> {
  bytes = 0

  override set(destination: string, content: Buffer): this {
    this.bytes += content.length - (this.get(destination)?.length ?? 0)
    return super.set(destination, content)
  }

  override delete(destination: string): boolean {
    this.bytes -= this.get(destination)?.length ?? 0
    return super.delete(destination)
  }

  override clear(): void {
    this.bytes = 0
    super.clear()
  }
}
