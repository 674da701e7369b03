/** What an argument of a command may be: text goes as UTF-8, a number as JavaScript shows it. */
export type Argument = string | number | Uint8Array;

const LINE = '\r\n';
const BUFFER_BYTES_MIN = 16 * 1024;
/** A buffer that grew past this many bytes is given back once it is empty. */
const BUFFER_BYTES_KEPT = 256 * 1024;
/** Bytes of "$<length>" and two line ends around an argument, at most. */
const FRAME_BYTES = 32;

/** Commands as a client sends them (`*2\r\n$3\r\nGET\r\n...`), one behind the other, taken from the front. */
export class RequestWriter {
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES_MIN);
  #start = 0;
  #end = 0;

  /** Bytes that were not taken yet. */
  get length(): number {
    return this.#end - this.#start;
  }

  append(words: readonly Argument[]): void {
    this.#ensure(FRAME_BYTES);
    this.#latin1(`*${words.length}${LINE}`);
    for (const word of words) {
      if (typeof word === 'string') this.#text(word);
      else if (typeof word === 'number') this.#text(String(word));
      else this.#bytes(word);
    }
  }

  /** The next bytes, `max` at most; they are readable until the next call of `append` or `take`. */
  take(max: number): Buffer {
    const start = this.#start;
    this.#start = Math.min(this.#end, start + max);
    const taken = this.#buffer.subarray(start, this.#start);
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
      if (this.#buffer.length > BUFFER_BYTES_KEPT) {
        this.#buffer = Buffer.allocUnsafe(BUFFER_BYTES_MIN);
      }
    }
    return taken;
  }

  #text(text: string): void {
    const length = Buffer.byteLength(text);
    this.#ensure(FRAME_BYTES + length);
    this.#latin1(`$${length}${LINE}`);
    this.#end += this.#buffer.write(text, this.#end);
    this.#latin1(LINE);
  }

  #bytes(bytes: Uint8Array): void {
    this.#ensure(FRAME_BYTES + bytes.length);
    this.#latin1(`$${bytes.length}${LINE}`);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
    this.#latin1(LINE);
  }

  #latin1(text: string): void {
    this.#end += this.#buffer.latin1Write(text, this.#end);
  }

  #ensure(room: number): void {
    if (this.#end + room <= this.#buffer.length) return;
    const { length } = this;
    let size = this.#buffer.length;
    while (size < length + room) size *= 2;
    const next = size === this.#buffer.length ? this.#buffer : Buffer.allocUnsafe(size);
    this.#buffer.copy(next, 0, this.#start, this.#end);
    this.#buffer = next;
    this.#start = 0;
    this.#end = length;
  }
}
