import { type Move, MoveState, type Waiter } from './move.js';
import type { ReplySink } from './operation.js';
import type { Stream } from './stream.js';
import { isTicket } from './tickets.js';

/** Something else than an ack that replies wait for. */
export interface ReplyWait {
  add(sink: ReplySink, token: number): void;
}

/**
 * What the reply of the running command waits for: one offset for each stream that it has written to or read from, and
 * change-overs and the like that are open.
 */
export class ReplyWaits {
  readonly #streams: Stream[] = [];
  readonly #offsets: number[] = [];
  readonly #moves: Move[] = [];
  readonly #others: ReplyWait[] = [];
  #acks = 0;

  clear(): void {
    this.#acks = 0;
    // Setting the length of an array is a call into the runtime, also when it stays 0.
    if (this.#moves.length > 0) this.#moves.length = 0;
    if (this.#others.length > 0) this.#others.length = 0;
  }

  /** How many acknowledgements `register` will ask for. */
  get count(): number {
    return this.#acks + this.#moves.length + this.#others.length;
  }

  register(sink: ReplySink, token: number): void {
    for (let i = 0; i < this.#acks; i++) {
      this.#streams[i]!.awaitAck(this.#offsets[i]!, sink, token);
    }
    for (const { waiters } of this.#moves) waiters.push({ sink, token });
    for (const other of this.#others) other.add(sink, token);
  }

  awaitAck(stream: Stream, offset: number): void {
    for (let i = 0; i < this.#acks; i++) {
      const other = this.#offsets[i]!;
      // Of two tickets the larger one need not be written last.
      if (this.#streams[i] !== stream || (isTicket(offset) && isTicket(other))) continue;
      if (other < offset) this.#offsets[i] = offset;
      return;
    }
    this.#streams[this.#acks] = stream;
    this.#offsets[this.#acks] = offset;
    this.#acks++;
  }

  /** Until the old backup has dropped its copy it is the one that would promote: changes wait for that too. */
  awaitCopies(move: Move): void {
    this.awaitAck(move.to!.stream, Math.max(move.toOffset, move.copyOffset));
    if (move.state === MoveState.Drop && move.from !== null) {
      this.awaitAck(move.from.stream, move.dropOffset);
    }
  }

  awaitMove(move: Move): void {
    this.#moves.push(move);
  }

  awaitOther(other: ReplyWait): void {
    this.#others.push(other);
  }

  /** A change-over is over: who waited for it. */
  takeWaiters(move: Move): readonly Waiter[] {
    // The running command, too, may have read the key and wait for its copy, which will not be made now.
    const at = this.#moves.indexOf(move);
    if (at >= 0) this.#moves.splice(at, 1);
    return move.waiters.splice(0);
  }

  /** For changes that are none of the running command's. */
  aside(change: () => void): void {
    const acks = this.#acks;
    const moves = this.#moves.length;
    const others = this.#others.length;
    change();
    this.#acks = acks;
    if (this.#moves.length > moves) this.#moves.length = moves;
    this.#others.length = others;
  }
}
