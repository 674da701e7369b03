import type { Address, Incarnation } from '../../lib/cluster/member.js';
import type { LinkEnd } from '../../lib/cluster/membership/contract.js';
import type { Random } from '../support/control-network.js';
import type { Scheduler } from './scheduler.js';

/** A process as its connections see it. Every call that tells it something is made inside `input`. */
export interface LinkOwner {
  readonly machine: number;
  /** The incarnation that it has now: a data connection to another one is turned away. */
  readonly incarnation: Incarnation;
  /** Runs as a turn of the process: now, when it is resumed, or never when it has ended. */
  input(label: string, run: () => void): void;
  opened(link: number, kind: LinkKind): void;
  accepted(link: number, kind: LinkKind, from: Incarnation): void;
  closed(link: number, kind: LinkKind, end: LinkEnd): void;
  message(link: number, text: string): void;
  bytes(link: number, chunk: Buffer): void;
}

export type LinkKind = 'control' | 'data';

interface Item {
  readonly sentAt: number;
  dueAt: number;
  /** What is said on opening, a message, a range of bytes, or the end of the connection. */
  readonly hello?: { readonly from: Incarnation; readonly to: Incarnation } | undefined;
  readonly text?: string | undefined;
  bytes?: Buffer | undefined;
  readonly end?: LinkEnd | undefined;
}

/** One side of a connection, with what is on its way to the other one. */
interface Side {
  readonly owner: LinkOwner;
  readonly number: number;
  readonly kind: LinkKind;
  state: 'dialling' | 'open' | 'closed';
  /** An accepted side is made known to its owner by the hello. */
  isKnown: boolean;
  other: Side | null;
  readonly queue: Item[];
  isPumping: boolean;
}

export interface NetworkOptions {
  readonly delayMsMax: number;
  /** Share of deliveries that take ten times as long, one in ten of them a hundred times. */
  readonly lateShare: number;
  /** A dialled connection that does not open has failed after that time. */
  readonly dialTimeoutMs: number;
  /** Share of deliveries whose bytes come in pieces. */
  readonly cutShare: number;
}

/** Data that meets a cut for so long ends its connection. */
const STALL_MAX_MS = 8000;
const RETRANSMIT_MS_MAX = 100;
const CHUNK_BYTES_MAX = 64 * 1024;
/** What is on its way for longer is a fault of the link, not a delay: half a node-timeout breaks a data link. */
const LATE_MS_MAX = 500;

/**
 * Machines and the connections between them in virtual time. Order is kept within one direction of a connection, and
 * nowhere else. A machine without a process refuses; a cut (one way or both) is silent. Bytes of data connections are
 * read from the sender's memory as late as a real socket may do that, and arrive in pieces of any size.
 */
export class Network {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #options: NetworkOptions;
  readonly #processes: (LinkOwner | null)[] = [];
  readonly #addresses: Address[] = [];
  readonly #cuts = new Set<number>();
  /** By how much messages of control connections, and bytes of data connections, are later than usual, milliseconds. */
  readonly #lags = new Map<number, number>();
  readonly #dataLags = new Map<number, number>();
  readonly #sides = new Map<number, Side>();
  /** Usual delay from one machine to another, milliseconds. */
  readonly #delays = new Map<number, number>();
  #lastLink = 0;
  /** Control messages sent so far. */
  messages = 0;

  constructor(scheduler: Scheduler, options: NetworkOptions) {
    this.#scheduler = scheduler;
    this.#random = scheduler.random('network');
    this.#options = options;
  }

  addMachine(address: Address): number {
    this.#addresses.push(address);
    this.#processes.push(null);
    return this.#addresses.length - 1;
  }

  /** The process that listens on the machine; null: connections are refused. */
  listen(machine: number, process: LinkOwner | null): void {
    this.#processes[machine] = process;
  }

  cut(from: number, to: number, oneWay = false): void {
    this.#cuts.add(from * 1000 + to);
    if (!oneWay) this.#cuts.add(to * 1000 + from);
  }

  /** From now on what is said on control connections is on its way for longer, as where packets are lost and sent again. */
  lag(from: number, to: number, byMs: number): void {
    this.#lags.set(from * 1000 + to, byMs);
  }

  /** The same for what is sent on data connections. */
  lagData(from: number, to: number, byMs: number): void {
    this.#dataLags.set(from * 1000 + to, byMs);
  }

  mend(one: number, other: number): void {
    this.#cuts.delete(one * 1000 + other);
    this.#cuts.delete(other * 1000 + one);
  }

  heal(): void {
    this.#cuts.clear();
    this.#lags.clear();
    this.#dataLags.clear();
  }

  isCut(from: number, to: number): boolean {
    return this.#cuts.has(from * 1000 + to);
  }

  // --- what a process does

  dial(owner: LinkOwner, address: Address, kind: LinkKind, to: Incarnation): number {
    const side = this.#newSide(owner, kind, 'dialling');
    const target = this.#addresses.findIndex(({ host }) => host === address.host);
    const timeoutMs = this.#options.dialTimeoutMs;
    this.#scheduler.at(timeoutMs, () => this.#dialFailed(side, 'timeout'));
    if (target < 0) {
      this.#scheduler.at(this.#random.between(0.1, 2), () => this.#dialFailed(side, 'unreachable'));
    } else this.#knock(side, target, to);
    return side.number;
  }

  send(link: number, text: string): void {
    const side = this.#sides.get(link);
    if (side?.state !== 'open') return;
    this.messages++;
    this.#push(side, { text });
  }

  sendBytes(link: number, buffer: Buffer, start: number, end: number): void {
    const side = this.#sides.get(link);
    if (side?.state !== 'open') return;
    this.#scheduler.noteBytes(buffer, start, end);
    this.#push(side, { bytes: buffer.subarray(start, end) });
  }

  /** At its owner's wish: only the other side is told, after some or all of what was sent before. */
  close(link: number): void {
    const side = this.#sides.get(link);
    if (side !== undefined) this.#end(side, this.#random.next() < 0.7 ? 'closed' : 'reset');
  }

  // --- faults

  /** The process was killed: its connections end, with any part of what it had sent last. */
  ended(owner: LinkOwner): void {
    for (const side of [...this.#sides.values()]) {
      if (side.owner === owner) this.#end(side, this.#random.next() < 0.5 ? 'closed' : 'reset');
    }
  }

  /** Resets some connection between two machines, wherever its bytes are. False when there is none. */
  resetSome(kind: LinkKind, random: Random): boolean {
    const open = [...this.#sides.values()].filter(
      (side) => side.kind === kind && side.state === 'open' && side.isKnown && side.other?.isKnown,
    );
    if (open.length === 0) return false;
    const side = random.pick(open);
    this.#end(side, 'reset');
    this.#tell(side, 'reset', () => side.owner.closed(side.number, kind, 'reset'));
    return true;
  }

  // --- inside

  #newSide(owner: LinkOwner, kind: LinkKind, state: Side['state']): Side {
    const side: Side = {
      owner,
      number: ++this.#lastLink,
      kind,
      state,
      isKnown: state === 'dialling',
      other: null,
      queue: [],
      isPumping: false,
    };
    this.#sides.set(side.number, side);
    return side;
  }

  #delay(from: number, to: number): number {
    const random = this.#random;
    const pair = from * 1000 + to;
    let usual = this.#delays.get(pair);
    if (usual === undefined) {
      usual = random.between(0.05, this.#options.delayMsMax);
      this.#delays.set(pair, usual);
    }
    const delay = usual * random.between(0.5, 1.5);
    const { lateShare } = this.#options;
    const luck = random.next();
    if (luck < lateShare / 10) return Math.min(delay * 100, LATE_MS_MAX);
    return luck < lateShare ? delay * 10 : delay;
  }

  #tell(side: Side, label: string, run: () => void): void {
    side.owner.input(`${side.kind} ${label}`, run);
  }

  #dialFailed(side: Side, end: LinkEnd): void {
    if (side.state !== 'dialling') return;
    this.#end(side, 'reset');
    this.#tell(side, end, () => side.owner.closed(side.number, side.kind, end));
  }

  /** A connection attempt, repeated while it meets a cut. */
  #knock(side: Side, target: number, to: Incarnation): void {
    const from = side.owner.machine;
    this.#scheduler.at(this.#delay(from, target), () => {
      if (side.state !== 'dialling') return;
      if (this.isCut(from, target) || this.isCut(target, from)) {
        this.#scheduler.at(this.#random.between(50, 400), () => this.#knock(side, target, to));
        return;
      }
      const process = this.#processes[target]!;
      const back = this.#delay(target, from);
      if (process === null) {
        this.#scheduler.at(back, () => this.#dialFailed(side, 'refused'));
        return;
      }
      const accepted = this.#newSide(process, side.kind, 'open');
      accepted.other = side;
      side.other = accepted;
      this.#scheduler.at(back, () => this.#dialled(side, to));
    });
  }

  #dialled(side: Side, to: Incarnation): void {
    if (side.state !== 'dialling') return;
    side.state = 'open';
    this.#tell(side, 'opened', () => {
      if (side.state !== 'open') return;
      this.#push(side, { hello: { from: side.owner.incarnation, to } });
      side.owner.opened(side.number, side.kind);
    });
  }

  #push(side: Side, content: Omit<Item, 'sentAt' | 'dueAt'>): void {
    const { other } = side;
    if (other === null) return;
    const { now } = this.#scheduler;
    const last = side.queue.at(-1)?.dueAt ?? 0;
    const { hello, text, bytes, end } = content;
    const [from, to] = [side.owner.machine, other.owner.machine];
    const lags = text === undefined ? this.#dataLags : this.#lags;
    const lagMs = lags.get(from * 1000 + to) ?? 0;
    const dueAt = Math.max(last, now + this.#delay(from, to) + lagMs);
    side.queue.push({ sentAt: now, dueAt, hello, text, bytes, end });
    this.#pumpAt(side, dueAt);
  }

  #pumpAt(side: Side, at: number): void {
    if (side.isPumping) return;
    side.isPumping = true;
    this.#scheduler.at(Math.max(0, at - this.#scheduler.now), () => {
      side.isPumping = false;
      this.#pump(side);
    });
  }

  /** Delivers what is due, one turn of the receiver for each piece. */
  #pump(side: Side): void {
    const { queue } = side;
    const other = side.other!;
    const { now } = this.#scheduler;
    const item = queue[0];
    if (item === undefined || other.state === 'closed') {
      queue.length = 0;
      return;
    }
    if (this.isCut(side.owner.machine, other.owner.machine)) {
      if (side.state === 'open' && now - item.sentAt > STALL_MAX_MS) this.#stalled(side);
      else this.#pumpAt(side, now + this.#random.between(5, RETRANSMIT_MS_MAX));
      return;
    }
    if (item.dueAt > now) return this.#pumpAt(side, item.dueAt);
    if (item.bytes !== undefined) this.#deliverBytes(side, other);
    else {
      queue.shift();
      this.#deliver(item, other);
    }
    if (queue.length > 0) this.#pumpAt(side, Math.max(now, queue[0]!.dueAt));
  }

  #deliver(item: Item, to: Side): void {
    const { hello, text, end } = item;
    if (end !== undefined) {
      // What came before it is read first, also by a process that was paused meanwhile.
      this.#tell(to, end, () => {
        if (this.#sides.get(to.number) !== to) return;
        to.state = 'closed';
        this.#sides.delete(to.number);
        if (to.isKnown) to.owner.closed(to.number, to.kind, end);
      });
    } else if (hello !== undefined) {
      this.#tell(to, 'accepted', () => {
        if (to.state === 'closed') return;
        if (hello.to !== '' && hello.to !== to.owner.incarnation) return this.close(to.number);
        to.isKnown = true;
        to.owner.accepted(to.number, to.kind, hello.from);
      });
    } else {
      this.#tell(to, 'message', () => {
        if (this.#sides.get(to.number) === to) to.owner.message(to.number, text!);
      });
    }
  }

  #deliverBytes(side: Side, to: Side): void {
    const { queue } = side;
    const { now } = this.#scheduler;
    const random = this.#random;
    const parts: Buffer[] = [];
    let total = 0;
    while (queue[0]?.bytes !== undefined && queue[0].dueAt <= now && total < CHUNK_BYTES_MAX) {
      parts.push(queue[0].bytes);
      total += queue[0].bytes.length;
      queue.shift();
    }
    let chunk = Buffer.concat(parts);
    if (random.next() < this.#options.cutShare && chunk.length > 1) {
      const length = random.next() < 0.3 ? 1 + random.below(8) : 1 + random.below(chunk.length);
      const rest = Buffer.from(chunk.subarray(length));
      if (rest.length > 0) {
        queue.unshift({ sentAt: now, dueAt: now + random.between(0.01, 0.5), bytes: rest });
        chunk = chunk.subarray(0, length);
      }
    }
    this.#tell(to, 'bytes', () => {
      if (this.#sides.get(to.number) === to) to.owner.bytes(to.number, chunk);
    });
  }

  /** The sender gives up; the other side learns of it when it sends something itself. */
  #stalled(side: Side): void {
    this.#end(side, 'reset');
    this.#tell(side, 'timeout', () => side.owner.closed(side.number, side.kind, 'timeout'));
  }

  /** This side is gone for its owner. What was sent last arrives in part, then the end. */
  #end(side: Side, end: LinkEnd): void {
    if (side.state === 'closed') return;
    side.state = 'closed';
    this.#sides.delete(side.number);
    const { other, queue } = side;
    if (other === null || other.state === 'closed') return;
    if (end === 'reset') this.#truncate(queue);
    for (const item of queue) if (item.bytes !== undefined) item.bytes = Buffer.from(item.bytes);
    this.#push(side, { end });
  }

  /** Keeps the beginning of what is on its way: any number of items, and any part of the next one's bytes. */
  #truncate(queue: Item[]): void {
    const random = this.#random;
    const keep = random.below(queue.length + 1);
    const next = queue[keep];
    queue.length = keep;
    if (next?.bytes === undefined) return;
    queue.push({ ...next, bytes: next.bytes.subarray(0, random.below(next.bytes.length + 1)) });
  }
}
