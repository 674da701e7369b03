import { strict as assert } from 'node:assert';
import { copyBytes, putF64, putLatin1, putU16, putU32, u32At } from './bytes.js';
import { GatherBuffer } from './gather-buffer.js';

/*
 * A frame of the cluster bus:
 *
 *     u32 length, little-endian: bytes that follow | u8 type | payload
 */

/** Bytes of a frame's length field. */
const LENGTH_BYTES = 4;
/** Bytes of a frame before its payload. */
export const FRAME_HEADER_BYTES = LENGTH_BYTES + 1;

const EMPTY = Buffer.alloc(0);

/**
 * Splits the bytes of one bus connection into frames. It is used like RequestParser: `feed`, `next` until false,
 * `finish`. A frame that lies whole in the chunk is yielded in place, one that does not is gathered; `buffer[start,
 * end)` is its payload, readable until the following `next` or `finish`.
 *
 * After an error the reader yields nothing more: the stream is out of step.
 */
export class FrameReader {
  type = 0;
  buffer: Buffer = EMPTY;
  start = 0;
  end = 0;
  /** Empty while there is none. */
  error = '';

  private readonly frameBytesMax: number;
  private chunk: Buffer = EMPTY;
  private position = 0;
  private chunkEnd = 0;
  private drained = true;
  private readonly gathered = new GatherBuffer();
  /** Where the frame being gathered ends, once its length is known. */
  private gatheredEnd = 0;

  /** `frameBytesMax` bounds the length field: bytes of type and payload. */
  constructor(frameBytesMax: number) {
    this.frameBytesMax = frameBytesMax;
  }

  /** Bytes held of frames that were not yielded yet. */
  get pendingBytes(): number {
    return this.gathered.length + this.chunkEnd - this.position;
  }

  /** What has been fed and not been yielded is `lent[at, lentEnd)`; one frame before that may be in the making. */
  get lent(): Buffer {
    return this.chunk;
  }

  get at(): number {
    return this.position;
  }

  get lentEnd(): number {
    return this.chunkEnd;
  }

  get isGathering(): boolean {
    return this.gathered.length > 0;
  }

  /** Lends the first `length` bytes of `chunk`, until `finish`. What is left of the chunk before comes first. */
  feed(chunk: Buffer, length: number): void {
    if (this.error !== '') return;
    if (this.position < this.chunkEnd) {
      const left = this.chunk.subarray(this.position, this.chunkEnd);
      this.chunk = Buffer.concat([left, chunk.subarray(0, length)]);
      this.chunkEnd = this.chunk.length;
    } else {
      this.chunk = chunk;
      this.chunkEnd = length;
    }
    this.position = 0;
    this.drained = false;
  }

  /** Moves to the next frame; false when the chunk holds no further whole frame, or on an error. */
  next(): boolean {
    if (this.position < this.chunkEnd) {
      if (this.gathered.length > 0 ? this.takeGathered() : this.takeInPlace()) return true;
    }
    // A reader that waits for the next chunk keeps no large frame of its past alive.
    this.buffer = EMPTY;
    this.drained = true;
    return false;
  }

  /** Copies out what is left of the chunk. */
  finish(): void {
    if (this.position < this.chunkEnd) {
      if (!this.drained) {
        this.chunk = Buffer.from(this.chunk.subarray(this.position, this.chunkEnd));
        this.chunkEnd = this.chunk.length;
        this.position = 0;
        return;
      }
      this.gather();
    }
    this.forgetChunk();
  }

  private takeInPlace(): boolean {
    const { chunk, position } = this;
    const available = this.chunkEnd - position;
    if (available < LENGTH_BYTES) return false;
    const length = u32At(chunk, position);
    if (!this.allows(length) || available < LENGTH_BYTES + length) return false;
    this.yieldFrame(chunk, position, length);
    this.position = position + LENGTH_BYTES + length;
    return true;
  }

  private takeGathered(): boolean {
    if (!this.gather()) return false;
    const { buffer } = this.gathered;
    this.yieldFrame(buffer, 0, this.gatheredEnd - LENGTH_BYTES);
    this.gathered.clear();
    return true;
  }

  /** Moves bytes of one frame from the chunk to `gathered`. Whether that frame is whole. */
  private gather(): boolean {
    if (this.gathered.length < LENGTH_BYTES) {
      this.gatherUntil(LENGTH_BYTES, 0);
      if (this.gathered.length < LENGTH_BYTES) return false;
      const length = u32At(this.gathered.buffer, 0);
      if (!this.allows(length)) return false;
      this.gatheredEnd = LENGTH_BYTES + length;
    }
    this.gatherUntil(this.gatheredEnd, this.gatheredEnd);
    return this.gathered.length === this.gatheredEnd;
  }

  private gatherUntil(length: number, totalBytes: number): void {
    const missing = length - this.gathered.length;
    const until = Math.min(this.chunkEnd, this.position + missing);
    this.gathered.append(this.chunk, this.position, until, totalBytes);
    this.position = until;
  }

  private yieldFrame(buffer: Buffer, at: number, length: number): void {
    this.buffer = buffer;
    this.type = buffer[at + LENGTH_BYTES]!;
    this.start = at + FRAME_HEADER_BYTES;
    this.end = at + LENGTH_BYTES + length;
  }

  private allows(length: number): boolean {
    if (length > 0 && length <= this.frameBytesMax) return true;
    this.error =
      length === 0
        ? 'frame without a type'
        : `frame of ${length} bytes, at most ${this.frameBytesMax} allowed`;
    this.gathered.clear();
    this.forgetChunk();
    return false;
  }

  private forgetChunk(): void {
    this.chunk = EMPTY;
    this.position = 0;
    this.chunkEnd = 0;
  }
}

/** Bytes of a chunk of the log; a frame larger than that gets a chunk of its own size. */
const CHUNK_BYTES = 64 * 1024;
/** Chunks that a log keeps for reuse, so that a steady stream touches no fresh memory. */
const SPARE_CHUNKS_MAX = 8;

interface Chunk {
  readonly buffer: Buffer;
  /** Absolute offset of the chunk's first byte. */
  readonly base: number;
  /** Bytes in use. */
  length: number;
}

/**
 * An append-only log of frames with absolute offsets (bytes since the stream began): send buffer and retransmission
 * backlog at once. A frame never spans chunks, so that ranges go to a socket as they are, and frames can be read back.
 *
 *     acknowledged | sent | not sent yet
 *                  ^ ackedOffset        ^ endOffset
 *
 * Bytes stay where they are until they are acknowledged; after that their memory is written again.
 */
export class FrameLog {
  /** Absolute offset behind the last frame. */
  endOffset = 0;
  /** Everything before this absolute offset has been acknowledged. */
  ackedOffset = 0;

  private readonly chunks: Chunk[] = [];
  private readonly spares: Buffer[] = [];
  private buffer: Buffer = EMPTY;
  /** Where the next put goes in `buffer`, and where the frame begun last ends. */
  private at = 0;
  private frameEnd = 0;

  /** Bytes not acknowledged yet. */
  get pendingBytes(): number {
    return this.endOffset - this.ackedOffset;
  }

  /** Begins a frame; exactly `payloadLength` bytes must be put before anything else is done with the log. */
  begin(type: number, payloadLength: number): void {
    this.assertComplete();
    const bytes = FRAME_HEADER_BYTES + payloadLength;
    if (this.at + bytes > this.buffer.length) this.addChunk(bytes);
    const { buffer, at } = this;
    putU32(buffer, at, payloadLength + 1);
    buffer[at + LENGTH_BYTES] = type;
    this.at = at + FRAME_HEADER_BYTES;
    this.frameEnd = at + bytes;
    this.endOffset += bytes;
    this.chunks[this.chunks.length - 1]!.length = this.frameEnd;
  }

  u8(value: number): void {
    this.buffer[this.at++] = value;
  }

  u16(value: number): void {
    putU16(this.buffer, this.at, value);
    this.at += 2;
  }

  u32(value: number): void {
    putU32(this.buffer, this.at, value);
    this.at += 4;
  }

  f64(value: number): void {
    putF64(this.buffer, this.at, value);
    this.at += 8;
  }

  bytes(source: Uint8Array, start: number, end: number): void {
    copyBytes(source, start, end, this.buffer, this.at);
    this.at += end - start;
  }

  /** One byte per character, without a length. */
  latin1(text: string): void {
    putLatin1(this.buffer, this.at, text);
    this.at += text.length;
  }

  /**
   * The peer has everything before `offset`: frees the chunks that end there. An offset that was acknowledged before
   * changes nothing; false when it is beyond what was ever written.
   */
  acknowledge(offset: number): boolean {
    if (!(offset <= this.endOffset)) return false;
    if (offset <= this.ackedOffset) return true;
    this.assertComplete();
    this.ackedOffset = offset;
    const { chunks } = this;
    let freed = 0;
    while (freed < chunks.length && chunks[freed]!.base + chunks[freed]!.length <= offset) {
      const { buffer } = chunks[freed++]!;
      if (buffer.length === CHUNK_BYTES && this.spares.length < SPARE_CHUNKS_MAX)
        this.spares.push(buffer);
    }
    if (freed > 0) chunks.splice(0, freed);
    if (chunks.length === 0) {
      this.buffer = EMPTY;
      this.at = 0;
      this.frameEnd = 0;
    }
    return true;
  }

  /** Visits the bytes from `fromOffset` to the end as ranges of the log's memory, in order. */
  eachUnsent(
    fromOffset: number,
    visit: (buffer: Buffer, start: number, end: number) => void,
  ): void {
    this.assertComplete();
    const { chunks } = this;
    for (let i = this.chunkOf(fromOffset); i < chunks.length; i++) {
      const chunk = chunks[i]!;
      const start = Math.max(0, fromOffset - chunk.base);
      if (start < chunk.length) visit(chunk.buffer, start, chunk.length);
    }
  }

  /**
   * Visits every frame that ends behind `fromOffset`, in order: its payload is `buffer[start, end)`, `endOffset` is the
   * absolute offset behind it. Frames that `visit` appends are not visited; it must not acknowledge.
   */
  eachFrame(
    fromOffset: number,
    visit: (type: number, buffer: Buffer, start: number, end: number, endOffset: number) => void,
  ): void {
    this.assertComplete();
    const limit = this.endOffset;
    const { chunks } = this;
    for (let i = this.chunkOf(fromOffset); i < chunks.length; i++) {
      const { buffer, base } = chunks[i]!;
      for (let at = 0; at < chunks[i]!.length && base + at < limit; ) {
        const end = at + LENGTH_BYTES + u32At(buffer, at);
        if (base + end > fromOffset)
          visit(buffer[at + LENGTH_BYTES]!, buffer, at + FRAME_HEADER_BYTES, end, base + end);
        at = end;
      }
    }
  }

  /** Index of the chunk that holds `offset`, looked for from the end: what is not sent yet is there. */
  private chunkOf(offset: number): number {
    assert(offset >= this.ackedOffset && offset <= this.endOffset);
    let index = this.chunks.length - 1;
    while (index > 0 && this.chunks[index]!.base > offset) index--;
    return Math.max(index, 0);
  }

  private addChunk(frameBytes: number): void {
    const large = frameBytes > CHUNK_BYTES;
    const spare = large ? undefined : this.spares.pop();
    this.buffer = spare ?? Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, frameBytes));
    this.at = 0;
    this.chunks.push({ buffer: this.buffer, base: this.endOffset, length: 0 });
  }

  private assertComplete(): void {
    if (this.at !== this.frameEnd) assert.fail(`frame ends at ${this.frameEnd}, put to ${this.at}`);
  }
}
