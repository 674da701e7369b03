/**
 * The first frame of every bus connection, sent by who dialled: JSON, so that releases may add to it.
 *
 *     u32 length, little-endian | u8 type 1 | {"protocol":1,"kind":"data","from":"<id>","to":"<id>"}
 */

/** Grows when a frame changes its meaning. The release before and the one after are understood. */
export const BUS_PROTOCOL = 1;

/** Bytes of a hello frame, its length field included. */
export const HELLO_BYTES_MAX = 1024;
const HEADER_BYTES = 5;
const HELLO_TYPE = 1;

export type BusLinkKind = 'control' | 'data';

export interface BusHello {
  readonly protocol: number;
  readonly kind: BusLinkKind;
  /** Incarnation of the sender. */
  readonly from: string;
  /** Incarnation that the sender means to reach; empty when it knows only an address. */
  readonly to: string;
}

export function encodeHello(hello: BusHello): Buffer {
  const payload = Buffer.from(JSON.stringify(hello));
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(1 + payload.length, 0);
  frame[4] = HELLO_TYPE;
  payload.copy(frame, HEADER_BYTES);
  return frame;
}

/** Bytes of the hello frame that begins with `bytes`, its length field included; NaN as long as that is unknown. */
export function helloLength(bytes: Buffer): number {
  return bytes.length < 4 ? Number.NaN : 4 + bytes.readUInt32LE(0);
}

const ID = /^[0-9a-f]{40}$/;

/** The hello of one whole frame, or what is wrong with it. */
export function decodeHello(frame: Buffer): BusHello | string {
  if (frame.length < HEADER_BYTES || frame[4] !== HELLO_TYPE) return 'no hello';
  let value: Partial<BusHello> | null;
  try {
    value = JSON.parse(frame.toString('utf8', HEADER_BYTES)) as Partial<BusHello> | null;
  } catch {
    return 'hello is no JSON';
  }
  const { protocol, kind, from, to } = value ?? {};
  if (typeof protocol !== 'number') return 'hello without a protocol version';
  if (Math.abs(protocol - BUS_PROTOCOL) > 1) return `protocol ${protocol}, not ${BUS_PROTOCOL}`;
  if (kind !== 'control' && kind !== 'data') return 'hello of an unknown kind';
  if (typeof from !== 'string' || !ID.test(from)) return 'hello without a sender';
  if (typeof to !== 'string' || (to !== '' && !ID.test(to))) return 'hello to nobody';
  return { protocol, kind, from, to };
}
