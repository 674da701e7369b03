import type { AclUser } from '../../lib/commands/acl/user.js';
import type { ClientSession, ReplyMode } from '../../lib/commands/client-session.js';
import { CommandOrder } from '../../lib/commands/command-order.js';
import type { ClientSubscriptions } from '../../lib/commands/subscriptions.js';
import type { ClientTracking } from '../../lib/commands/tracking.js';
import type { Transaction, WatchedKeys } from '../../lib/commands/transaction.js';
import type { BlockedClient } from '../../lib/commands/waiter.js';
import { ReplyWriter } from '../../lib/protocol/reply-writer.js';
import { Request } from '../../lib/protocol/request.js';
import { type ReplyOutput, ReplyQueue } from '../../lib/server/reply-queue.js';
import type { Random } from '../support/control-network.js';
import { type Reply, ReplyReader } from '../support/resp.js';
import type { Process } from './process.js';
import type { Scheduler } from './scheduler.js';

/** What a client hears from its connection. */
export interface ConnectionListener {
  replied(reply: Reply): void;
  lost(): void;
}

/** A client connection to one process, with the reply queue of the real server, and its way through the network. */
export class Connection implements ClientSession, ReplyOutput {
  readonly id: number;
  readonly address = '';
  readonly localAddress = '';
  readonly usesTls = false;
  readonly createdAt = 0;
  lastActiveAt = 0;
  name = '';
  libraryName = '';
  libraryVersion = '';
  db = 0;
  authenticated = true;
  user: AclUser;
  noEvict = false;
  subscriptions: ClientSubscriptions | null = null;
  monitors = false;
  tracking: ClientTracking | null = null;
  replyMode: ReplyMode = 'on';
  transaction: Transaction | null = null;
  watched: WatchedKeys | null = null;
  lastCommand = '';
  commandsRun = 0;
  blocked: BlockedClient | null = null;
  isPostponed = false;
  readonly queryBufferBytes = 0;
  readonly outputBytes = 0;
  readonly reply = new ReplyWriter();
  readonly order = new CommandOrder(() => undefined);
  readonly process: Process;
  readonly #queue = new ReplyQueue(this.reply);
  readonly #reader = new ReplyReader();
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #listener: ConnectionListener;
  /** What came while a reply was in progress. */
  readonly #pushed: Buffer[] = [];
  #arrivesAt = 0;
  /** Bytes of replies on their way. */
  #inFlight = 0;
  #isOpen = true;

  constructor(
    id: number,
    process: Process,
    scheduler: Scheduler,
    random: Random,
    listener: ConnectionListener,
  ) {
    this.id = id;
    this.process = process;
    this.user = process.users.default;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#listener = listener;
    process.connections.add(this);
  }

  // --- at the client

  send(args: readonly string[]): void {
    const request = Request.of(...args);
    this.#scheduler.at(this.#random.between(0.02, 0.5), () =>
      this.process.input('command', () => {
        if (!this.#isOpen) return;
        this.process.commandCame(args);
        this.process.dispatcher.dispatch(this, request);
        // The parser's buffer is written again.
        request.buffer.fill(0xa5);
        this.process.wantDrain(this);
      }),
    );
  }

  /** The client goes away; a command that it has sent may still run. */
  close(): void {
    this.#isOpen = false;
    this.process.connections.delete(this);
    this.process.tracking.disable(this);
    if (this.blocked === null && this.subscriptions === null) return;
    this.#scheduler.at(this.#random.between(0.02, 0.5), () =>
      this.process.input('client gone', () => {
        this.blocked?.cancel();
        this.process.subscriptions.reset(this);
      }),
    );
  }

  /** Its command waits for a key. */
  get isWaiting(): boolean {
    return this.blocked?.isBlocked === true && !this.blocked.isTrying;
  }

  // --- at the server

  drain(): void {
    if (this.#isOpen) this.#queue.drain(this);
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    const bytes = Buffer.from(buffer.subarray(start, end));
    const { now } = this.#scheduler;
    this.#arrivesAt = Math.max(this.#arrivesAt, now + this.#random.between(0.02, 0.5));
    this.#inFlight++;
    this.#scheduler.at(this.#arrivesAt - now, () => {
      this.#inFlight--;
      if (!this.#isOpen) return;
      this.#reader.feed(bytes);
      for (let next = this.#reader.next(); next !== null; next = this.#reader.next()) {
        this.#listener.replied(next.reply);
      }
    });
    return true;
  }

  /** The process was killed: what it had sent arrives, or is lost with the connection. */
  serverEnded(): void {
    const lose = (): void => {
      if (!this.#isOpen) return;
      this.#isOpen = false;
      this.#listener.lost();
    };
    if (this.#inFlight > 0 && this.#random.next() < 0.7) {
      this.#scheduler.at(this.#arrivesAt - this.#scheduler.now + 0.01, lose);
    } else this.#scheduler.at(this.#random.between(0, 1), lose);
  }

  hold(): void {
    throw new Error('a client sends one command at a time');
  }

  release(): void {}

  /** As the server's connection: behind the reply in progress. */
  push(bytes: Buffer): void {
    if (this.#queue.isInProgress) {
      this.#pushed.push(Buffer.from(bytes));
      return;
    }
    this.reply.raw(bytes, 0, bytes.length);
    this.#queue.endReply(0);
    this.process.wantDrain(this);
  }

  showPushed(): void {}

  afterReplies(): void {
    throw new Error('no client redirects to another');
  }

  endReply(acks: number): number {
    this.process.wantDrain(this);
    const token = this.#queue.endReply(acks);
    for (const bytes of this.#pushed.splice(0)) this.push(bytes);
    return token;
  }

  deferReply(): number {
    return this.#queue.deferReply();
  }

  acknowledged(token: number): void {
    if (this.#isOpen && this.#queue.acknowledged(token)) this.process.wantDrain(this);
  }

  complete(token: number, reply: Buffer): void {
    if (this.#isOpen && this.#queue.complete(token, reply)) this.process.wantDrain(this);
  }

  fail(token: number, error: string): void {
    const bytes = Buffer.from(`-${error}\r\n`);
    if (this.#isOpen && this.#queue.fail(token, bytes)) this.process.wantDrain(this);
  }

  closeAfterReplies(): void {}

  kill(): void {
    this.close();
  }
}
