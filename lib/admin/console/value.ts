import { StringDecoder } from 'node:string_decoder';
import type { PeekedValue } from '../../cluster/peeking.js';
import { typeName } from '../../commands/encodings.js';
import { ValueType } from '../../store/entry.js';
import type { ValueFrame } from './frame.js';

/** What stands for bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';

/** The value of a key as an operator reads it. */
export function valueFrame({ type, length, start }: PeekedValue): ValueFrame {
  const bytes = Buffer.from(start, 'latin1');
  const isCut = bytes.length < length;
  const text = type === ValueType.String ? printable(bytes, isCut) : null;
  return { type: typeName(type), length, text, isCut };
}

/** UTF-8 as it is, and anything else as ASCII, with escapes for what cannot be seen, or changes how the rest is seen. */
function printable(bytes: Buffer, isCut: boolean): string {
  // A character that the end cuts in two is left out.
  const text = isCut ? new StringDecoder('utf8').write(bytes) : bytes.toString('utf8');
  const isText = !text.includes(REPLACEMENT);
  return isText
    ? text.replace(/[\p{C}\p{Zl}\p{Zp}\\]/gu, (found) => escaped(found, 'utf8'))
    : bytes.toString('latin1').replace(/[^ -~]|\\/g, (found) => escaped(found, 'latin1'));
}

function escaped(character: string, encoding: 'utf8' | 'latin1'): string {
  if (character === '\\') return '\\\\';
  return Buffer.from(character, encoding).toString('hex').replace(/../g, '\\x$&');
}
