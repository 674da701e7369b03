import type { Random } from '../support/control-network.js';
import type { Reply } from '../support/resp.js';
import { collectionCommand, isCollection } from './collections.js';
import { Connection } from './connection.js';
import { type Call, outcomeOf } from './history.js';
import { LockUser } from './locks.js';
import { Messages } from './messages.js';
import { pairCommand } from './pairs.js';
import type { Process } from './process.js';
import { isBlocking, isQueue, QueueUser } from './queues.js';
import { Races } from './races.js';
import { Scans } from './scans.js';
import type { Scheduler } from './scheduler.js';
import { SessionUser } from './sessions.js';
import { Subscriber } from './subscriber.js';
import type { Trace } from './trace.js';
import { TransferUser } from './transfers.js';

export interface WorkloadOptions {
  readonly clients: number;
  /** Letters of the kinds of keys: registers, expiring ones, counters, sessions of users, locks; collections (`collections.ts`); queues (`queues.ts`). */
  readonly kinds: string;
  /** Keys of each of the kinds. */
  readonly keys: number;
  readonly thinkMsMax: number;
  /** All clients go for the same key at moments so far apart; 0: each when it likes. */
  readonly raceMs: number;
  /** Share of large values that are sent as they are drawn; others are made small. */
  readonly largeShare: number;
  /** Share of commands that a client sends to the node that it is stuck to. */
  readonly stickyShare: number;
  /** `all`: one client in three is stuck to a node, one goes to all nodes in turn, and one to any. */
  readonly routing: 'sticky' | 'round-robin' | 'all';
  /** Share of commands that only read; of the others many do as well. */
  readonly readShare: number;
  /** Share of commands on the whole keyspace: SCAN, FLUSHALL, DBSIZE. */
  readonly scanShare: number;
  /** KEYS instead of SCAN. */
  readonly scansWhole: boolean;
  /** Share of commands on keys of pairs (`pairs.ts`). */
  readonly pairShare: number;
  /** Share of transactions (`transfers.ts`). */
  readonly transferShare: number;
  /** Share of PUBLISH, and clients that subscribe (`messages.ts`). */
  readonly publishShare: number;
  readonly subscribers: number;
  /** A client gives a command up after so long, and goes elsewhere; 0: never. */
  readonly patienceMs: number;
}

/** Where the clients find nodes. */
export interface Nodes {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  /** Processes that accept connections, by machine. */
  listening(): Process[];
}

const WAYS = ['sticky', 'round-robin', 'random'] as const;
const MSET_SHARE = 0.06;
const REDIRECT_SHARE = 0.02;
const PAD_BYTES = [0, 0, 0, 0, 0, 0, 20, 200, 2000, 70_000];

/** All clients: what they send, and what came of it. */
export class Workload {
  readonly calls: Call[] = [];
  readonly keys: readonly string[];
  readonly clients: Client[] = [];
  readonly messages = new Messages();
  readonly #subscribers: Subscriber[] = [];
  readonly nodes: Nodes;
  readonly options: WorkloadOptions;
  readonly scans = new Scans();
  readonly races: Races | null;
  /** Clients stop after so many commands. */
  readonly commandsMax: number;
  isOn = true;

  constructor(nodes: Nodes, options: WorkloadOptions, commandsMax: number) {
    this.nodes = nodes;
    this.options = options;
    this.commandsMax = commandsMax;
    const numbers = Array.from({ length: options.keys }, (_, i) => i);
    this.keys = [...options.kinds].flatMap((kind) => numbers.map((i) => `${kind}${i}`));
    this.races = options.raceMs > 0 ? new Races(options.raceMs, this.keys) : null;
    for (let i = 0; i < options.clients; i++) {
      this.clients.push(new Client(this, i, nodes.scheduler.random(`client ${i}`)));
    }
    for (let i = 0; i < options.subscribers; i++) {
      this.#subscribers.push(new Subscriber(this, i, nodes.scheduler.random(`subscriber ${i}`)));
    }
  }

  start(): void {
    this.isOn = true;
    for (const client of this.clients) client.think();
    for (const subscriber of this.#subscribers) subscriber.start();
  }

  stop(): void {
    this.isOn = false;
  }

  /** Whether clients go on by themselves. */
  get isRunning(): boolean {
    return this.isOn && this.calls.length < this.commandsMax;
  }

  /** Everything was lost, and may be: there was no node any more. */
  vanished(since: number): void {
    const { now } = this.nodes.scheduler;
    // What was lost with the first node may have been written anew before the last one was gone.
    for (const invokedAt of [since, now]) this.#note(['FLUSHALL'], invokedAt, now);
  }

  #note(args: readonly string[], invokedAt: number, returnedAt: number): void {
    this.calls.push({
      id: this.calls.length,
      client: -1,
      node: 'nobody',
      args,
      keys: keysOf(args, this.keys),
      invokedAt,
      returnedAt,
      outcome: 'replied',
      reply: { type: '+', text: 'OK' },
    });
  }

  /** Somebody waits for an answer, and not for what another client may do. */
  get hasPending(): boolean {
    const isPending = ({ call, isWaiting }: Client): boolean => call !== null && !isWaiting;
    return this.clients.some(isPending) || this.#subscribers.some((one) => one.isPending);
  }

  /** Commands that are to be answered in time: they do not wait for a key. */
  get pending(): Call[] {
    return this.clients.flatMap(({ call }) => (call === null || isBlocking(call) ? [] : [call]));
  }

  /** Commands that wait for a key. */
  get waiting(): Call[] {
    return this.clients.flatMap(({ call, isWaiting }) => (isWaiting ? [call!] : []));
  }

  /** The same, and those that are just looking. */
  get blocked(): Call[] {
    return this.clients.flatMap(({ call }) => (call !== null && isBlocking(call) ? [call] : []));
  }

  // --- what a subscriber needs

  get scheduler(): Scheduler {
    return this.nodes.scheduler;
  }

  listening(): Process[] {
    return this.nodes.listening();
  }

  newCall(client: number, process: Process, args: readonly string[]): Call {
    const call: Call = {
      id: this.calls.length,
      client,
      node: process.name,
      args,
      keys: keysOf(args, this.keys),
      invokedAt: this.nodes.scheduler.now,
      returnedAt: Number.POSITIVE_INFINITY,
      outcome: 'pending',
      reply: null,
    };
    this.calls.push(call);
    return call;
  }
}

/** One client: one command at a time. */
export class Client {
  readonly #workload: Workload;
  readonly #number: number;
  readonly #random: Random;
  readonly #session: SessionUser | null;
  readonly #lock: LockUser | null;
  readonly #queue: QueueUser | null;
  readonly transfers = new TransferUser();
  #home = -1;
  #turn = 0;
  #connection: Connection | null = null;
  #connections = 0;
  call: Call | null = null;
  #done: ((call: Call) => void) | null = null;

  constructor(workload: Workload, number: number, random: Random) {
    this.#workload = workload;
    this.#number = number;
    this.#random = random;
    const { keys, options } = workload;
    const ofKind = (kind: string): string[] => keys.filter((key) => key.startsWith(kind));
    const isSome = (kind: string): boolean => options.kinds.includes(kind);
    this.#session = isSome('u') ? new SessionUser(number, options.clients, ofKind('u')) : null;
    this.#lock = isSome('l') ? new LockUser(ofKind('l')) : null;
    this.#queue = isSome('Q') ? new QueueUser(number, keys.filter(isQueue)) : null;
  }

  /** Its command waits for a key. */
  get isWaiting(): boolean {
    return this.call !== null && this.#connection?.isWaiting === true;
  }

  think(): void {
    const { races, options, nodes } = this.#workload;
    const { now } = nodes.scheduler;
    const pause = races?.pause(now, this.#random) ?? this.#random.between(0, options.thinkMsMax);
    nodes.scheduler.at(pause, () => {
      if (!this.#workload.isRunning) return;
      const process = this.#choose();
      if (process === null) return this.think();
      if (this.#random.next() < options.transferShare) return this.#transact(process);
      this.run(process, this.#makeCommand(), (call) => {
        this.#workload.scans.answered(this.#number, call);
        this.#session?.answered(call);
        this.#lock?.answered(call);
        this.think();
      });
    });
  }

  /** One transaction, command by command on one connection; a connection on which one was broken off is closed. */
  #transact(process: Process): void {
    const { transfers } = this;
    const answered = (call: Call): void => {
      if (!transfers.answered(call) || this.#connection?.process !== process) {
        transfers.drop();
        this.#connection?.close();
        this.#connection = null;
        return this.think();
      }
      if (!transfers.isOpen) return this.think();
      this.#workload.nodes.scheduler.at(this.#random.below(5), () => {
        if (this.#connection?.process === process) this.run(process, transfers.next(), answered);
        else {
          transfers.drop();
          this.think();
        }
      });
    };
    this.run(process, transfers.begin(this.#random), answered);
  }

  /** Sends one command to that process; `done` is called when its outcome is known, or known to be unknown. */
  run(process: Process, args: readonly string[], done: (call: Call) => void): void {
    if (this.#connection?.process !== process) this.#connect(process);
    this.call = this.#workload.newCall(this.#number, process, args);
    if (args[0] === 'PUBLISH') this.#workload.messages.published(this.call, process);
    this.#done = done;
    this.#connection!.send(args);
    const { patienceMs } = this.#workload.options;
    if (patienceMs > 0) this.#giveUpAfter(patienceMs, this.call);
  }

  #giveUpAfter(patienceMs: number, call: Call): void {
    this.#workload.nodes.scheduler.at(patienceMs, () => {
      if (this.call !== call || !this.#workload.isOn) return;
      this.#connection?.close();
      this.#connection = null;
      this.#finish('unknown', null);
    });
  }

  #makeCommand(): readonly string[] {
    const { options, calls, scans } = this.#workload;
    const random = this.#random;
    if (options.scanShare > 0 && random.next() < options.scanShare) {
      return scans.command(this.#number, random, `v${calls.length}.`, options.scansWhole);
    }
    if (options.readShare > 0 && random.next() < options.readShare) {
      return ['GET', random.pick(this.#workload.keys)];
    }
    const key = random.pick(this.#workload.keys);
    const value = makeValue(random, calls.length, options.largeShare);
    const { races, nodes } = this.#workload;
    if (races !== null) return races.command(nodes.scheduler.now, random, value);
    if (key.startsWith('u')) return this.#session!.command(random, value);
    if (key.startsWith('l')) return this.#lock!.command(random, value);
    if (options.publishShare > 0 && random.next() < options.publishShare) {
      return this.#workload.messages.command(random, value);
    }
    if (isQueue(key)) return this.#queue!.command(random, key, value, calls.length);
    if (isCollection(key)) return collectionCommand(random, key, value);
    return makeCommand(random, this.#workload, key, value);
  }

  #connect(process: Process): void {
    this.#connection?.close();
    const { scheduler } = this.#workload.nodes;
    const connection = new Connection(++this.#connections, process, scheduler, this.#random, {
      replied: (reply) => this.#replied(reply),
      lost: () => {
        if (this.#connection !== connection) return;
        this.#connection = null;
        this.#finish('unknown', null);
      },
    });
    this.#connection = connection;
  }

  #replied(reply: Reply): void {
    this.#workload.nodes.scheduler.noteText(reply.type);
    this.#finish(outcomeOf(reply), reply);
  }

  #finish(outcome: Call['outcome'], reply: Reply | null): void {
    const { call } = this;
    if (call === null) return;
    this.call = null;
    call.outcome = outcome;
    call.reply = reply;
    if (reply !== null) call.returnedAt = this.#workload.nodes.scheduler.now;
    this.#workload.nodes.trace.answered(call);
    this.#done?.(call);
  }

  #choose(): Process | null {
    const random = this.#random;
    const up = this.#workload.nodes.listening();
    if (up.length === 0) return null;
    const { routing } = this.#workload.options;
    const way = routing === 'all' ? WAYS[this.#number % WAYS.length]! : routing;
    if (way === 'random') return random.pick(up);
    if (way === 'round-robin') return up[(this.#number + this.#turn++) % up.length]!;
    const home = up.find(({ machine }) => machine === this.#home);
    const stays = random.next() < this.#workload.options.stickyShare;
    const chosen = home !== undefined && stays ? home : random.pick(up);
    if (home === undefined || random.next() < REDIRECT_SHARE) this.#home = chosen.machine;
    return chosen;
  }
}

/** Keys of which a call is part of the history; those of pairs and of scans have histories of their own. */
function keysOf(args: readonly string[], all: readonly string[]): readonly string[] {
  if (args[0] === 'FLUSHALL') return all;
  if (args.some(isQueue)) return all.filter((key) => args.includes(key));
  if (args[0] === 'SCAN' || !all.includes(args[1]!)) return [];
  return args[0] === 'MSET' ? [args[1]!, args[3]!] : [args[1]!];
}

function makeCommand(
  random: Random,
  workload: Workload,
  key: string,
  value: string,
): readonly string[] {
  if (random.next() < workload.options.pairShare) return pairCommand(random, value);
  if (key.startsWith('r') && random.next() < MSET_SHARE) {
    const other = random.pick(workload.keys.filter((one) => one.startsWith('r') && one !== key));
    return ['MSET', key, value, other, value];
  }
  switch (key[0]) {
    case 'c':
      return counterCommand(random, key);
    case 'e':
      return expiringCommand(random, key, value);
    default:
      return registerCommand(random, key, value);
  }
}

/** No two commands write the same value, so that a read says whose write it saw. */
function makeValue(random: Random, id: number, largeShare: number): string {
  const text = `v${id}.`;
  const bytes = random.pick(PAD_BYTES);
  return bytes > 200 && random.next() < 1 - largeShare ? text : text.padEnd(bytes, 'x');
}

function counterCommand(random: Random, key: string): readonly string[] {
  const luck = random.next();
  if (luck < 0.55) return ['INCR', key];
  if (luck < 0.9) return ['GET', key];
  if (luck < 0.95) return ['DEL', key];
  return luck < 0.98 ? ['SET', key, String(random.below(1000) * 1000)] : ['GETDEL', key];
}

function registerCommand(random: Random, key: string, value: string): readonly string[] {
  const luck = random.next();
  if (luck < 0.35) return ['GET', key];
  if (luck < 0.55) return ['SET', key, value];
  if (luck < 0.65) return ['DEL', key];
  if (luck < 0.73) return ['SET', key, value, 'NX'];
  if (luck < 0.8) return ['GETSET', key, value];
  if (luck < 0.87) return ['APPEND', key, value.slice(0, 20)];
  if (luck < 0.9) return ['GETDEL', key];
  if (luck < 0.93) return ['EXISTS', key];
  if (luck < 0.96) return ['STRLEN', key];
  return luck < 0.98 ? ['SET', key, value, 'XX'] : ['PEXPIRE', key, '3600000'];
}

function expiringCommand(random: Random, key: string, value: string): readonly string[] {
  const luck = random.next();
  const ttl = String(20 + random.below(random.next() < 0.5 ? 200 : 4000));
  if (luck < 0.3) return ['GET', key];
  if (luck < 0.5) return ['SET', key, value, 'PX', ttl];
  if (luck < 0.6) return ['PEXPIRE', key, ttl];
  if (luck < 0.7) return ['PTTL', key];
  if (luck < 0.78) return ['SET', key, value, 'NX', 'PX', ttl];
  if (luck < 0.83) return ['PERSIST', key];
  if (luck < 0.87) return ['SET', key, value, 'KEEPTTL'];
  if (luck < 0.91) return ['APPEND', key, value.slice(0, 20)];
  if (luck < 0.95) return ['DEL', key];
  return luck < 0.98 ? ['EXISTS', key] : ['GETSET', key, value];
}
