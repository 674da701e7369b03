import type { Socket } from 'node:net';
import { CONTROL_BACKLOG_BYTES, CONTROL_FRAME_BYTES } from '../base/limits.js';
import type { LinkEnd } from '../cluster/membership/contract.js';
import { type ControlMessage, decodeControlMessage } from '../cluster/membership/messages.js';
import { FRAME_HEADER_BYTES, FrameReader } from '../protocol/bus-frames.js';
import {
  type BusHello,
  type BusLinkKind,
  decodeHello,
  HELLO_BYTES_MAX,
  helloLength,
} from './bus-hello.js';

const CONTROL_TYPE = 2;

/** What a link tells its transport. */
export interface BusLinkEvents {
  /** The other side has said who it is: accepted links only. False refuses it. */
  hello(link: BusLink, hello: BusHello): boolean;
  message(link: BusLink, message: ControlMessage): void;
  data(link: BusLink, chunk: Buffer, length: number): void;
  closed(link: BusLink, end: LinkEnd): void;
  malformed(link: BusLink, reason: string): void;
}

/** How a connection ended, from the code of its error. */
export function linkEndOf(code: string | undefined): LinkEnd {
  switch (code) {
    case undefined:
      return 'closed';
    case 'ECONNREFUSED':
      return 'refused';
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return 'reset';
    case 'ETIMEDOUT':
      return 'timeout';
    default:
      return 'unreachable';
  }
}

function readMessage(json: string): ControlMessage | null {
  try {
    return decodeControlMessage(JSON.parse(json));
  } catch {
    return null;
  }
}

/** One connection of the bus, dialled or accepted. Malformed bytes close it, and nothing else. */
export class BusLink {
  readonly number: number;
  kind: BusLinkKind | null;
  readonly #events: BusLinkEvents;
  readonly #control = new FrameReader(CONTROL_FRAME_BYTES);
  #socket: Socket | null = null;
  /** Bytes of an accepted link's hello as far as they have come; null once it was read. */
  #hello: Buffer | null;
  #end: LinkEnd = 'closed';
  #closed = false;
  #corked = false;

  /** `kind` of a dialled link; null for an accepted one, whose hello tells. */
  constructor(number: number, kind: BusLinkKind | null, events: BusLinkEvents) {
    this.number = number;
    this.kind = kind;
    this.#hello = kind === null ? Buffer.alloc(0) : null;
    this.#events = events;
  }

  get hasHello(): boolean {
    return this.#hello === null;
  }

  get remoteAddress(): string {
    return `${this.#socket?.remoteAddress ?? '?'}:${this.#socket?.remotePort ?? 0}`;
  }

  /** Takes the socket; `closed` is told once it has ended, unless `close` was called before. */
  attach(socket: Socket): void {
    this.#socket = socket;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#end = linkEndOf(error.code);
    });
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      if (this.#closed) return;
      this.#closed = true;
      this.#events.closed(this, this.#end);
    });
  }

  /** Closes it as ended for that reason: `closed` is told. */
  fail(end: LinkEnd): void {
    this.#end = end;
    this.#socket?.destroy();
  }

  /** Closes it at the own wish: nothing is told any more. */
  close(): void {
    this.#closed = true;
    this.#socket?.destroy();
  }

  /** Closes it once what was written has been sent. */
  finish(): void {
    this.#closed = true;
    this.#socket?.destroySoon();
  }

  received(chunk: Buffer, length: number): void {
    if (this.#closed) return;
    if (this.#hello === null && this.kind === 'data') {
      this.#events.data(this, chunk, length);
      return;
    }
    const error =
      this.#hello === null
        ? this.#receivedControl(chunk, length)
        : this.#receivedHello(this.#hello, chunk, length);
    if (error === null) return;
    this.#events.malformed(this, error);
    this.fail('closed');
  }

  /** Returns what is wrong with it, null for nothing. */
  #receivedHello(before: Buffer, chunk: Buffer, length: number): string | null {
    const bytes = Buffer.concat([before, chunk.subarray(0, length)]);
    this.#hello = bytes;
    const end = helloLength(bytes);
    if (end > HELLO_BYTES_MAX) return 'no hello';
    if (!(bytes.length >= end)) return null;
    const hello = decodeHello(bytes.subarray(0, end));
    if (typeof hello === 'string') return hello;
    this.#hello = null;
    this.kind = hello.kind;
    const rest = bytes.subarray(end);
    if (this.#events.hello(this, hello) && rest.length > 0) this.received(rest, rest.length);
    return null;
  }

  #receivedControl(chunk: Buffer, length: number): string | null {
    const reader = this.#control;
    reader.feed(chunk, length);
    while (!this.#closed && reader.next()) {
      if (reader.type !== CONTROL_TYPE) return `frame of type ${reader.type}`;
      const message = readMessage(reader.buffer.toString('utf8', reader.start, reader.end));
      if (message === null) return 'unknown message';
      this.#events.message(this, message);
    }
    reader.finish();
    return reader.error === '' ? null : reader.error;
  }

  sendControl(message: ControlMessage): void {
    const socket = this.#socket;
    if (socket === null || this.#closed || socket.destroyed) return;
    const payload = Buffer.from(JSON.stringify(message));
    const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
    frame.writeUInt32LE(1 + payload.length, 0);
    frame[4] = CONTROL_TYPE;
    payload.copy(frame, FRAME_HEADER_BYTES);
    socket.write(frame);
    // A peer that does not read its heartbeats is not served with old ones later.
    if (socket.writableLength > CONTROL_BACKLOG_BYTES) this.fail('timeout');
  }

  write(bytes: Buffer): void {
    const socket = this.#socket;
    if (socket === null || this.#closed || socket.destroyed) return;
    socket.write(bytes);
  }

  /** Until `uncork`, what is written is collected and goes out together. True when it was not corked before. */
  cork(): boolean {
    if (this.#corked || this.#socket === null) return false;
    this.#corked = true;
    this.#socket.cork();
    return true;
  }

  uncork(): void {
    this.#corked = false;
    this.#socket?.uncork();
  }
}
