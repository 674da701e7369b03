const BYTES_MIN = 256;

/** Bytes that are put together piece by piece. */
export class ByteBuilder {
  #buffer = Buffer.allocUnsafe(BYTES_MIN);
  length = 0;

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.length++] = value;
  }

  latin1(text: string): void {
    this.#reserve(text.length);
    this.length += this.#buffer.latin1Write(text, this.length);
  }

  append(source: Uint8Array): void {
    this.#reserve(source.length);
    this.#buffer.set(source, this.length);
    this.length += source.length;
  }

  /** The low bytes of an integer, of which there are 64 bits. */
  integer(value: bigint, bytes: number, littleEndian: boolean): void {
    this.#reserve(bytes);
    let rest = BigInt.asUintN(64, value);
    for (let i = 0; i < bytes; i++) {
      const at = littleEndian ? i : bytes - 1 - i;
      this.#buffer[this.length + at] = Number(rest & 0xffn);
      rest >>= 8n;
    }
    this.length += bytes;
  }

  float(value: number, bytes: 4 | 8, littleEndian: boolean): void {
    this.#reserve(bytes);
    const { buffer, byteOffset } = this.#buffer;
    const view = new DataView(buffer, byteOffset + this.length, bytes);
    if (bytes === 4) view.setFloat32(0, value, littleEndian);
    else view.setFloat64(0, value, littleEndian);
    this.length += bytes;
  }

  #reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(grown, 0, 0, this.length);
    this.#buffer = grown;
  }
}
