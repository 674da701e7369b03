/** What is kept of a large value besides its bytes, and can be made from them again. */
export interface Attachment {
  /** Memory that it takes. */
  readonly bytes: number;
}

/** Key and value of entries that are too large for the slab: an allocation each, addressed by a number. */
export class LargePayloads {
  /** By number. */
  readonly buffers: Buffer[] = [];
  /** Bytes of all allocations, and of what is attached to them. */
  bytes = 0;
  private readonly freeNumbers: number[] = [];
  /** By number, with the bytes that were counted for it. */
  private readonly attachments = new Map<number, { attached: Attachment; bytes: number }>();

  /** Content is undefined. */
  allocate(bytes: number): number {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    const number = this.freeNumbers.pop() ?? this.buffers.length;
    this.buffers[number] = buffer;
    this.bytes += bytes;
    return number;
  }

  /** Null when there is none. */
  attached(number: number): Attachment | null {
    return this.attachments.get(number)?.attached ?? null;
  }

  /** Replaces what was attached, by nothing if null; again after it has grown, so that its bytes are counted. */
  attach(number: number, attached: Attachment | null): void {
    const before = this.attachments.get(number);
    if (before !== undefined) this.bytes -= before.bytes;
    if (attached === null) {
      if (before !== undefined) this.attachments.delete(number);
      return;
    }
    const { bytes } = attached;
    this.bytes += bytes;
    if (before === undefined) this.attachments.set(number, { attached, bytes });
    else {
      before.attached = attached;
      before.bytes = bytes;
    }
  }

  free(number: number): void {
    this.attach(number, null);
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
    this.attachments.clear();
    this.bytes = 0;
  }
}

const NONE = Buffer.alloc(0);
