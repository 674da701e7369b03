/** What is kept of a large value besides its bytes, and can be made from them again. */
export interface Attachment {
  /** Memory that it takes. */
  readonly bytes: number;
}

/** With the bytes that were counted for it. */
interface Attached {
  attached: Attachment;
  bytes: number;
}

/** Key and value of entries that are too large for the slab: an allocation for each of both, addressed by one number. */
export class LargePayloads {
  /** By number. */
  readonly keys: Buffer[] = [];
  /** Of the values, by number. */
  readonly buffers: Buffer[] = [];
  /** Bytes of all allocations, and of what is attached to them. */
  bytes = 0;
  private readonly freeNumbers: number[] = [];
  /** By number. */
  private readonly attachments = new Map<number, Attached>();

  /** Of the key the content is undefined. `value` is the store's from now on, with all of the allocation that it is a part of. */
  allocate(keyBytes: number, value: Buffer): number {
    const key = Buffer.allocUnsafeSlow(keyBytes);
    const number = this.freeNumbers.pop() ?? this.buffers.length;
    this.keys[number] = key;
    this.buffers[number] = value;
    this.bytes += keyBytes + memoryOf(value);
    return number;
  }

  /** Another value, as `allocate` takes it, in the place of this one; what was attached to that goes. */
  replace(number: number, value: Buffer): void {
    this.attach(number, null);
    this.bytes += memoryOf(value) - memoryOf(this.buffers[number]!);
    this.buffers[number] = value;
  }

  /** Two values change places, with what is attached to them. */
  exchange(first: number, second: number): void {
    const { buffers, attachments } = this;
    const buffer = buffers[first]!;
    const attachment = attachments.get(first);
    buffers[first] = buffers[second]!;
    buffers[second] = buffer;
    this.place(first, attachments.get(second));
    this.place(second, attachment);
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
    this.bytes -= this.keys[number]!.length + memoryOf(this.buffers[number]!);
    this.keys[number] = NONE;
    this.buffers[number] = NONE;
    this.freeNumbers.push(number);
  }

  /** Of the value; keeps its first `keepBytes` bytes. */
  reallocate(number: number, bytes: number, keepBytes: number): void {
    const source = this.buffers[number]!;
    const target = Buffer.allocUnsafeSlow(bytes);
    source.copy(target, 0, 0, keepBytes);
    this.buffers[number] = target;
    this.bytes += bytes - memoryOf(source);
  }

  clear(): void {
    this.keys.length = 0;
    this.buffers.length = 0;
    this.freeNumbers.length = 0;
    this.attachments.clear();
    this.bytes = 0;
  }

  private place(number: number, attachment: Attached | undefined): void {
    if (attachment === undefined) this.attachments.delete(number);
    else this.attachments.set(number, attachment);
  }
}

const NONE = Buffer.alloc(0);

/** A value that came in is a part of what it came in. */
const memoryOf = (value: Buffer): number => value.buffer.byteLength;
