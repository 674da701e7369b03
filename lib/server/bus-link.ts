import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { CONTROL_BACKLOG_BYTES, CONTROL_FRAME_BYTES } from '../base/limits.js';
import type { LinkEnd } from '../cluster/membership/contract.js';
import { type ControlMessage, decodeControlMessage } from '../cluster/membership/messages.js';
import { FRAME_HEADER_BYTES, FrameReader } from '../protocol/bus-frames.js';
import {
  AcceptorHandshake,
  type BusCredentials,
  DiallerHandshake,
  type Handshake,
  type Opened,
} from './bus-handshake.js';
import { type BusHello, type BusLinkKind, encodeOpening, HelloType } from './bus-hello.js';
import { Sealer, SealOpener } from './bus-seal.js';

const CONTROL_TYPE = 2;
const NO_CONTEXT = Buffer.alloc(0);

/** What a link tells its transport. */
export interface BusLinkEvents {
  /** The other side has said who it is, and proven it where there is a secret: accepted links only. False refuses it. */
  hello(link: BusLink, hello: BusHello): boolean;
  /** A dialled link may be used. */
  opened(link: BusLink): void;
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

/** What tells the TLS session of an open connection from all others; empty without TLS. */
function bindingOf(socket: Socket): string {
  if (!(socket instanceof TLSSocket)) return '';
  return socket.exportKeyingMaterial(32, 'EXPERIMENTAL tandis bus', NO_CONTEXT).toString('hex');
}

/** One connection of the bus, dialled or accepted. Malformed bytes close it, and nothing else. */
export class BusLink {
  readonly number: number;
  kind: BusLinkKind | null;
  readonly #events: BusLinkEvents;
  readonly #control = new FrameReader(CONTROL_FRAME_BYTES);
  #socket: Socket | null = null;
  readonly #secrets: readonly string[];
  /** "host:port" of the other end. */
  from = '';
  readonly #isAccepted: boolean;
  /** Null while there is nothing to be proven: before, without need, or after. */
  #handshake: Handshake | null = null;
  #isOpen = false;
  #sealer: Sealer | null = null;
  #opener: SealOpener | null = null;
  #end: LinkEnd = 'closed';
  #closed = false;
  #corked = false;

  /** `kind` of a dialled link; null for an accepted one, whose hello tells. `secrets`: see BusCredentials. */
  constructor(
    number: number,
    kind: BusLinkKind | null,
    events: BusLinkEvents,
    secrets: readonly string[],
  ) {
    this.number = number;
    this.kind = kind;
    this.#events = events;
    this.#secrets = secrets;
    this.#isAccepted = kind === null;
  }

  /** Whether both ends are known to one another. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether nobody knows yet who is at the other end: of what it does nothing is told. */
  get isStrange(): boolean {
    return this.#isAccepted && !this.#isOpen;
  }

  /** A dialled link is connected. */
  begin(hello: BusHello): void {
    if (this.#secrets.length > 0) {
      this.#handshake = new DiallerHandshake(this.#credentials(), hello, this.#sendOpening);
      return;
    }
    this.#sendOpening(encodeOpening(HelloType.Hello, hello));
    this.#isOpen = true;
    this.#events.opened(this);
  }

  #sendOpening = (frame: Buffer): void => {
    this.#socket?.write(frame);
  };

  #credentials(): BusCredentials {
    return { secrets: this.#secrets, binding: bindingOf(this.#socket!) };
  }

  /**
   * Takes the socket, whose other end is at `from`; `closed` is told once it has ended, unless `close` was called before.
   * An accepted one has its TLS handshake behind it.
   */
  attach(socket: Socket, from: string): void {
    this.#socket = socket;
    this.from = from;
    if (this.#isAccepted) {
      this.#handshake = new AcceptorHandshake(this.#credentials(), this.#sendOpening);
    }
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#end = linkEndOf(error.code);
      const isSystems = error.syscall !== undefined || error.code === 'ECONNRESET';
      if (!isSystems && !this.#closed) this.#events.malformed(this, `TLS: ${error.message}`);
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
    let error: string | null = null;
    if (this.#handshake !== null) error = this.#receivedOpening(this.#handshake, chunk, length);
    else if (this.#opener === null) error = this.#receivedPlain(chunk, length);
    else {
      const isSound = this.#opener.open(chunk.subarray(0, length), (payload) => {
        error ??= this.#receivedPlain(payload, payload.length);
      });
      if (!isSound) error = 'record that was not sent so';
    }
    if (error === null || this.#closed) return;
    this.#events.malformed(this, error);
    this.fail('closed');
  }

  /** Returns what is wrong with it, null for nothing. */
  #receivedOpening(handshake: Handshake, chunk: Buffer, length: number): string | null {
    const outcome = handshake.received(chunk.subarray(0, length));
    if (outcome === null || typeof outcome === 'string') return outcome;
    this.#open(outcome);
    return null;
  }

  #open({ hello, keys, rest }: Opened): void {
    this.#handshake = null;
    this.#isOpen = true;
    this.kind = hello.kind;
    if (keys !== null) {
      this.#sealer = new Sealer(keys.sending);
      this.#opener = new SealOpener(keys.receiving);
    }
    if (!this.#isAccepted) this.#events.opened(this);
    else if (!this.#events.hello(this, hello)) return;
    if (rest.length > 0) this.received(rest, rest.length);
  }

  /** Returns what is wrong with it, null for nothing. */
  #receivedPlain(chunk: Buffer, length: number): string | null {
    if (this.#closed) return null;
    if (this.kind === 'control') return this.#receivedControl(chunk, length);
    this.#events.data(this, chunk, length);
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
    if (socket === null || this.#closed || !this.#isOpen || socket.destroyed) return;
    const payload = Buffer.from(JSON.stringify(message));
    const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
    frame.writeUInt32LE(1 + payload.length, 0);
    frame[4] = CONTROL_TYPE;
    payload.copy(frame, FRAME_HEADER_BYTES);
    this.write(frame);
    // A peer that does not read its heartbeats is not served with old ones later.
    if (socket.writableLength > CONTROL_BACKLOG_BYTES) this.fail('timeout');
  }

  write(bytes: Buffer): void {
    const socket = this.#socket;
    if (socket === null || this.#closed || !this.#isOpen || socket.destroyed) return;
    if (this.#sealer === null) {
      socket.write(bytes);
      return;
    }
    socket.cork();
    this.#sealer.seal(bytes, (part) => socket.write(part));
    socket.uncork();
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
