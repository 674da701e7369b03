/** Key and value of entries that are too large for the slab: an allocation each, addressed by a number. */
export class LargePayloads {
  /** By number. */
  readonly buffers: Buffer[] = [];
  /** Bytes of all allocations. */
  bytes = 0;
  private readonly freeNumbers: number[] = [];

  /** Content is undefined. */
  allocate(bytes: number): number {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    const number = this.freeNumbers.pop() ?? this.buffers.length;
    this.buffers[number] = buffer;
    this.bytes += bytes;
    return number;
  }

  free(number: number): void {
    this.bytes -= this.buffers[number]!.length;
    this.buffers[number] = NONE;
    this.freeNumbers.push(number);
  }

  /** Keeps the first `keepBytes` bytes. */
  reallocate(number: number, bytes: number, keepBytes: number): void {
    const source = this.buffers[number]!;
    const target = Buffer.allocUnsafeSlow(bytes);
    source.copy(target, 0, 0, keepBytes);
    this.buffers[number] = target;
    this.bytes += bytes - source.length;
  }

  clear(): void {
    this.buffers.length = 0;
    this.freeNumbers.length = 0;
    this.bytes = 0;
  }
}

const NONE = Buffer.alloc(0);
