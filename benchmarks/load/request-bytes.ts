/** Digits of the number that ends every key. */
const KEY_DIGITS = 12;
const KEY_PREFIX = 'sess:';
export const KEY_BYTES: number = KEY_PREFIX.length + KEY_DIGITS;
/** The key of templates; `writeKeyNumber` turns it into any other. */
export const EMPTY_KEY: string = KEY_PREFIX + '0'.repeat(KEY_DIGITS);

/** Offset of the digits within a key. */
const DIGITS_AT = KEY_PREFIX.length;
const ZERO = 48;

/** A command as RESP bytes, latin1. */
export function encode(...args: string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
}

/** Waits, however long, until one replica has all writes of the connection. */
export const WAIT: string = encode('WAIT', '1', '0');

/** Offset of the key in a command encoded with EMPTY_KEY, -1 without one. */
export function keyOffset(encoded: string): number {
  return encoded.indexOf(EMPTY_KEY);
}

/** Writes the number of a key over the digits of the key that begins at `at`. */
export function writeKeyNumber(buffer: Uint8Array, at: number, number: number): void {
  let rest = number;
  for (let i = at + DIGITS_AT + KEY_DIGITS - 1; i >= at + DIGITS_AT; i--) {
    const shorter = Math.floor(rest / 10);
    buffer[i] = ZERO + rest - shorter * 10;
    rest = shorter;
  }
}

/** Random printable bytes: nothing that a server could share or compress. */
export function printableText(length: number, random: () => number): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join('');
}
