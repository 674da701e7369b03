import { LargeValue } from './large-value.js';

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

/** Key and value of entries that are too large for the slab, addressed by one number: an allocation for each of both. */
export class LargePayloads {
  /** By number. */
  readonly keys: Buffer[] = [];
  /** By number. */
  readonly values: LargeValue[] = [];
  /** Bytes of all keys and values, with the room that these have, and of what is attached to them. */
  bytes = 0;
  private readonly freeNumbers: number[] = [];
  /** By number. */
  private readonly attachments = new Map<number, Attached>();
  /** Numbers of values that were on their way to another allocation when they were last changed. */
  private readonly moving = new Set<number>();

  /** Of the key the content is undefined. `value` is the store's from now on, with all of the allocation that it is a part of. */
  allocate(keyBytes: number, value: Buffer): number {
    const key = Buffer.allocUnsafeSlow(keyBytes);
    const number = this.freeNumbers.pop() ?? this.values.length;
    const kept = new LargeValue(value);
    this.keys[number] = key;
    this.values[number] = kept;
    this.bytes += keyBytes + kept.bytes;
    return number;
  }

  /** Another value, as `allocate` takes it, in the place of this one; what was attached to that goes. */
  replace(number: number, value: Buffer): void {
    this.attach(number, null);
    const kept = new LargeValue(value);
    this.bytes += kept.bytes - this.values[number]!.bytes;
    this.values[number] = kept;
  }

  /** Two values change places, with what is attached to them. */
  exchange(first: number, second: number): void {
    const { values, attachments } = this;
    const value = values[first]!;
    const attachment = attachments.get(first);
    values[first] = values[second]!;
    values[second] = value;
    this.noteMove(first);
    this.noteMove(second);
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
    this.bytes -= this.keys[number]!.length + this.values[number]!.bytes;
    this.keys[number] = NONE;
    this.values[number] = NO_VALUE;
    this.moving.delete(number);
    this.freeNumbers.push(number);
  }

  /** As LargeValue.splice. */
  splice(
    number: number,
    at: number,
    removed: number,
    source: Buffer,
    from: number,
    to: number,
  ): void {
    const value = this.values[number]!;
    const before = value.bytes;
    value.splice(at, removed, source, from, to);
    this.bytes += value.bytes - before;
    this.noteMove(number);
  }

  /** As LargeValue.resize. */
  resize(number: number, bytes: number): void {
    const value = this.values[number]!;
    const before = value.bytes;
    value.resize(bytes);
    this.bytes += value.bytes - before;
  }

  /** Bytes of allocations that values are on their way to. */
  get targetBytes(): number {
    let bytes = 0;
    for (const number of this.moving) bytes += this.values[number]!.targetBytes;
    return bytes;
  }

  /** Goes on with one of the moves by so many bytes; false when there is none. */
  move(bytes: number): boolean {
    for (const number of this.moving) {
      const value = this.values[number]!;
      const before = value.bytes;
      if (!value.move(bytes)) this.moving.delete(number);
      this.bytes += value.bytes - before;
      return true;
    }
    return false;
  }

  clear(): void {
    this.keys.length = 0;
    this.values.length = 0;
    this.freeNumbers.length = 0;
    this.attachments.clear();
    this.moving.clear();
    this.bytes = 0;
  }

  private noteMove(number: number): void {
    if (this.values[number]!.targetBytes > 0) this.moving.add(number);
  }

  private place(number: number, attachment: Attached | undefined): void {
    if (attachment === undefined) this.attachments.delete(number);
    else this.attachments.set(number, attachment);
  }
}

const NONE = Buffer.alloc(0);
const NO_VALUE = new LargeValue(NONE);
