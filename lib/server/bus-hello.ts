/**
 * The frames that begin a bus connection: JSON, so that releases may add to it. Who dialled says hello.
 *
 *     u32 length, little-endian | u8 type 1 | {"protocol":2,"kind":"data","from":"<id>","to":"<id>"}
 *
 * With a cluster-secret the hello has a nonce, and three frames follow before anything else (bus-handshake.ts).
 */

/** Grows when a frame changes its meaning. The release before and the one after are understood. */
export const BUS_PROTOCOL = 2;

/** Bytes of one of these frames, its length field included. */
export const HELLO_BYTES_MAX = 1024;
const HEADER_BYTES = 5;
/** Type 2 are the control messages that follow. */
export const HelloType = { Hello: 1, Challenge: 3, Proof: 4 } as const;

export type BusLinkKind = 'control' | 'data';

export interface BusHello {
  readonly protocol: number;
  readonly kind: BusLinkKind;
  /** Incarnation of the sender. */
  readonly from: string;
  /** Incarnation that the sender means to reach; empty when it knows only an address. */
  readonly to: string;
  /** 32 random bytes in hexadecimal: where there is a cluster-secret. */
  readonly nonce?: string;
}

/** One of these frames. */
export function encodeOpening(type: number, value: object): Buffer {
  const payload = Buffer.from(JSON.stringify(value));
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(1 + payload.length, 0);
  frame[4] = type;
  payload.copy(frame, HEADER_BYTES);
  return frame;
}

/** Bytes of the frame that begins with `bytes`, its length field included; NaN as long as that is unknown. */
export function openingLength(bytes: Buffer): number {
  return bytes.length < 4 ? Number.NaN : 4 + bytes.readUInt32LE(0);
}

const ID = /^[0-9a-f]{40}$/;
const HEX = /^[0-9a-f]{64}$/;

/** The object in one whole frame of this type; null where it is another frame, or no object. */
export function decodeOpening(frame: Buffer, type: number): Record<string, unknown> | null {
  if (frame.length < HEADER_BYTES || frame[4] !== type) return null;
  try {
    const value: unknown = JSON.parse(frame.toString('utf8', HEADER_BYTES));
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

/** 32 bytes as hexadecimal characters; null where `value` is none. */
export function decodeBytes(value: unknown): Buffer | null {
  return typeof value === 'string' && HEX.test(value) ? Buffer.from(value, 'hex') : null;
}

/** The hello of one whole frame, or what is wrong with it. */
export function decodeHello(frame: Buffer): BusHello | string {
  const value = decodeOpening(frame, HelloType.Hello);
  if (value === null) return 'no hello';
  const { protocol, kind, from, to, nonce } = value;
  if (typeof protocol !== 'number') return 'hello without a protocol version';
  if (Math.abs(protocol - BUS_PROTOCOL) > 1) return `protocol ${protocol}, not ${BUS_PROTOCOL}`;
  if (kind !== 'control' && kind !== 'data') return 'hello of an unknown kind';
  if (typeof from !== 'string' || !ID.test(from)) return 'hello without a sender';
  if (typeof to !== 'string' || (to !== '' && !ID.test(to))) return 'hello to nobody';
  if (nonce === undefined) return { protocol, kind, from, to };
  if (typeof nonce !== 'string' || !HEX.test(nonce)) return 'hello with a nonce that is none';
  return { protocol, kind, from, to, nonce };
}
