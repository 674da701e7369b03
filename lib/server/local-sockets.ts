import { EventEmitter } from 'node:events';
import { INPUT_BYTES_PER_TURN, READ_BUFFER_BYTES } from '../base/limits.js';
import type { Statistics } from '../commands/statistics.js';
import { type Argument, RequestWriter } from '../protocol/request-writer.js';
import type { ClientSocket } from './client-socket.js';
import type { TurnEnd, TurnStep } from './turn-end.js';

/** Who is at the other end of a LocalSocket. */
export interface LocalPeer {
  /** Bytes of replies, which are its own. */
  replied(bytes: Buffer): void;
  /** Nothing comes any more. */
  closed(): void;
}

/** Takes what a socket brings; a ClientConnection. */
export interface LocalReceiver {
  received(chunk: Buffer, length: number): void;
}

/** Makes the connection for a socket; null when nobody is accepted any more. */
export type AdmitLocal = (socket: ClientSocket) => LocalReceiver | null;

/**
 * The sockets of clients within this process. What they send in one turn of the event loop reaches their connections at
 * its end, in the step before that of the commands: so it goes the way of all commands, and no command ever runs inside
 * another one.
 */
export class LocalSockets implements TurnStep {
  readonly #admit: AdmitLocal;
  readonly #turnEnd: TurnEnd;
  readonly #statistics: Statistics;
  #due: LocalSocket[] = [];

  constructor(admit: AdmitLocal, turnEnd: TurnEnd, statistics: Statistics) {
    this.#admit = admit;
    this.#turnEnd = turnEnd;
    this.#statistics = statistics;
  }

  /** Null when the node accepts nobody any more. */
  open(peer: LocalPeer): LocalSocket | null {
    const socket = new LocalSocket(peer, (due) => this.#add(due));
    const receiver = this.#admit(socket);
    if (receiver === null) return null;
    socket.receiver = receiver;
    return socket;
  }

  /** A call was refused since too many wait. */
  countRefusal(): void {
    this.#statistics.limits.add('local-calls');
  }

  get isDue(): boolean {
    return this.#due.length > 0;
  }

  run(): void {
    const due = this.#due;
    this.#due = [];
    for (const socket of due) socket.bring();
  }

  #add(socket: LocalSocket): void {
    this.#due.push(socket);
    this.#turnEnd.schedule();
  }
}

/** A socket with both ends in this process: commands in, replies out. */
export class LocalSocket extends EventEmitter implements ClientSocket {
  readonly remoteAddress = 'in-process';
  readonly remotePort = 0;
  readonly localAddress = 'in-process';
  readonly localPort = 0;
  /** The peer takes what is written at once. */
  readonly writableLength = 0;
  receiver!: LocalReceiver;

  readonly #peer: LocalPeer;
  readonly #due: (socket: LocalSocket) => void;
  readonly #requests = new RequestWriter();
  #isDue = false;
  #isPaused = false;
  #hangsUp = false;
  #isClosed = false;

  constructor(peer: LocalPeer, due: (socket: LocalSocket) => void) {
    super();
    this.#peer = peer;
    this.#due = due;
  }

  /** Bytes of commands that its connection has yet to take. */
  get waitingBytes(): number {
    return this.#requests.length;
  }

  /** Sends a command, in this turn or when those before it have made room. */
  send(words: readonly Argument[]): void {
    this.#requests.append(words);
    this.#bringLater();
  }

  /** No command follows. It is closed when all have been replied to. */
  hangUp(): void {
    this.#hangsUp = true;
    this.#bringLater();
  }

  /** Hands over what was sent, as far as it is wanted in one turn. */
  bring(): void {
    this.#isDue = false;
    let room = INPUT_BYTES_PER_TURN;
    while (room > 0 && this.#requests.length > 0 && !this.#isPaused && !this.#isClosed) {
      const chunk = this.#requests.take(Math.min(room, READ_BUFFER_BYTES));
      room -= chunk.length;
      this.receiver.received(chunk, chunk.length);
    }
    if (this.#requests.length > 0) this.#bringLater();
    else if (this.#hangsUp && !this.#isPaused && !this.#isClosed) this.emit('end');
  }

  #bringLater(): void {
    if (this.#isDue || this.#isPaused || this.#isClosed) return;
    this.#isDue = true;
    this.#due(this);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#requests.length > 0 || this.#hangsUp) this.#bringLater();
  }

  write(output: Buffer | string): void {
    if (this.#isClosed) return;
    // The connection uses the bytes of a Buffer again.
    this.#peer.replied(
      typeof output === 'string' ? Buffer.from(output, 'latin1') : Buffer.from(output),
    );
  }

  cork(): void {}

  uncork(): void {}

  end(): void {
    this.destroy();
  }

  /** 'close' comes later, as that of any socket. */
  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    process.nextTick(() => {
      this.emit('close');
      this.#peer.closed();
    });
  }
}
