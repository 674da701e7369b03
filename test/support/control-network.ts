import type {
  Address,
  Incarnation,
  Install,
  Member,
  NodeStatus,
  View,
} from '../../lib/cluster/member.js';
import type {
  JoinAddresses,
  LinkEnd,
  MembershipConfig,
  MembershipHost,
  MembershipListener,
} from '../../lib/cluster/membership/contract.js';
import { Membership } from '../../lib/cluster/membership/membership.js';
import {
  type ControlMessage,
  decodeControlMessage,
} from '../../lib/cluster/membership/messages.js';
import { compareViewIds, sameViewId } from '../../lib/cluster/membership/views.js';
import { isOwn } from './own-share.js';

/** Repeatable pseudo-random numbers from one seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  hex(length: number): string {
    let text = '';
    while (text.length < length) text += this.below(16).toString(16);
    return text;
  }
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Events by time, and in the order of their creation at one time. */
class EventQueue {
  readonly #heap: Event[] = [];
  #order = 0;

  get nextAt(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  push(at: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ at, order: this.#order++, run });
    let i = heap.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i]!, heap[parent]!)) break;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }

  pop(): Event {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    let i = 0;
    for (;;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      }
      if (least === i) return first;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export interface NetworkOptions {
  readonly nodeTimeoutMs?: number;
  readonly policy?: 'available' | 'majority';
  readonly expect?: number;
  readonly delayMsMax?: number;
  /** Clocks run apart by up to this share (each way). */
  readonly drift?: number;
}

/** One end of a control connection. */
interface End {
  readonly node: ControlNode;
  /** Number of the process that holds it: a restarted node has none of its old links. */
  readonly life: number;
  readonly link: number;
  other: End | null;
  /** Nothing reaches this end before this time: a link keeps its order. */
  arrivesAt: number;
  open: boolean;
  /** Whether this side has called close, or was told of the end. */
  closed: boolean;
}

/** Until a dial that nobody answers is given up by the host. */
const DIAL_TIMEOUT_MS = 5_000;
/** Data that is not acknowledged for so long ends a connection. */
const STALL_MAX_MS = 8_000;
const RETRANSMIT_MS = 200;
const CHECK_ALL_MS = 10;
/** One in so many messages travels as bytes: that costs more than all the rest. */
const DECODE_EVERY = 8;

/** Of a node that holds nothing. */
export const STATUS: NodeStatus = {
  version: 0,
  knownView: 0,
  settledView: 0,
  keysWithoutBackup: 0,
  primaries: 0,
  backups: 0,
  memoryBytes: 0,
  headroomBytes: 0,
  operationsPerSecond: 0,
  membersMissing: 0,
  deletesForgotten: 0,
};

/** A node of the simulated network: one machine, and the membership machine of the process on it. */
export class ControlNode {
  readonly name: string;
  readonly address: Address;
  membership: Membership | null = null;
  life = 0;
  /** Installs of the present process, oldest first. */
  installs: Install[] = [];
  prepared: View | null = null;
  exclusions = 0;
  join: Address[] | null = null;
  unresolved = 0;
  readonly log: string[] = [];
  readonly ends = new Map<number, End>();
  /** Inputs that wait for a paused process. */
  backlog: (() => void)[] | null = null;
  /** The machine is unplugged: nothing goes in or out. */
  unplugged = false;
  readonly rate: number;
  #offset: number;
  #wallOffset: number;
  #frozenMs = 0;
  #frozenAt: number | null = null;
  known = true;
  keys = 1;
  /** Members that a view prepared here has left out. */
  readonly leftOut = new Set<Incarnation>();

  constructor(name: string, address: Address, rate: number, offset: number) {
    this.name = name;
    this.address = address;
    this.rate = rate;
    this.#offset = offset;
    this.#wallOffset = 1_700_000_000_000;
  }

  get isUp(): boolean {
    return this.membership !== null;
  }

  get view(): View | null {
    return this.membership?.view ?? null;
  }

  get id(): Incarnation {
    return this.membership?.self.id ?? '';
  }

  /** Monotonic time of this machine at a true time. */
  monotonic(now: number): number {
    const frozen = this.#frozenMs + (this.#frozenAt === null ? 0 : now - this.#frozenAt);
    return (now - frozen) * this.rate + this.#offset;
  }

  wall(now: number): number {
    return now + this.#wallOffset;
  }

  jumpWall(byMs: number): void {
    this.#wallOffset += byMs;
  }

  freezeClock(now: number): void {
    this.#frozenAt = now;
  }

  thawClock(now: number): void {
    if (this.#frozenAt === null) return;
    this.#frozenMs += now - this.#frozenAt;
    this.#frozenAt = null;
  }
}

/**
 * A network of control connections in virtual time, from one seed: delays, cut links (both ways or
 * one), refused and silent hosts, crashes, restarts, pauses, clocks that drift, jump and stand
 * still. What must hold at every moment is checked after every event.
 */
export class ControlNetwork {
  now = 0;
  readonly seed: number;
  readonly random: Random;
  readonly nodes: ControlNode[] = [];
  readonly timeoutMs: number;
  readonly options: Required<NetworkOptions>;
  /** Whether two sides may serve at once: set by whoever cuts the network in two. */
  partitioned = false;
  readonly violations: string[] = [];
  messages = 0;
  /** Off where the cost of the machines themselves is of interest. */
  checks = true;
  /** Drops messages that it returns true for, with their links. */
  intercept: ((from: ControlNode, to: ControlNode, message: ControlMessage) => boolean) | null =
    null;
  readonly #events = new EventQueue();
  readonly #cuts = new Set<string>();
  #links = 0;
  readonly #touched = new Set<ControlNode>();
  #checkAt = 0;

  constructor(seed: number, options: NetworkOptions = {}) {
    this.seed = seed;
    this.random = new Random(seed);
    this.options = {
      nodeTimeoutMs: 2000,
      policy: 'available',
      expect: 0,
      delayMsMax: 2,
      drift: 0.004,
      ...options,
    };
    this.timeoutMs = this.options.nodeTimeoutMs;
  }

  /** Adds machines; none runs a process yet. Each is given the addresses of all others to join. */
  add(count: number): ControlNode[] {
    const added: ControlNode[] = [];
    for (let i = 0; i < count; i++) {
      const index = this.nodes.length;
      const name = `n${index}`;
      const address = { host: name, port: 6379, busPort: 16379 };
      const rate = 1 + this.random.between(-1, 1) * this.options.drift;
      const node = new ControlNode(name, address, rate, this.random.between(1, 1e6));
      this.nodes.push(node);
      added.push(node);
    }
    return added;
  }

  at(delayMs: number, run: () => void): void {
    this.#events.push(this.now + delayMs, run);
  }

  /** Runs a new process on the machine. */
  start(node: ControlNode, join: readonly ControlNode[] | null = null): void {
    const addresses = join ?? this.nodes.filter((other) => other !== node);
    this.startWith(
      node,
      addresses.map(({ address }) => address),
    );
  }

  /** `join` null: no join list was given. */
  startWith(node: ControlNode, join: Address[] | null): void {
    node.unplugged = false;
    node.backlog = null;
    node.life++;
    node.installs = [];
    node.prepared = null;
    node.join = join;
    node.leftOut.clear();
    const { life } = node;
    const config: MembershipConfig = {
      nodeTimeoutMs: this.timeoutMs,
      partitionPolicy: this.options.policy,
      joinListGiven: join !== null,
      expect: this.options.expect,
    };
    const self: Member = { ...node.address, id: this.random.hex(40), zone: '', leaving: false };
    const now = node.monotonic(this.now);
    const membership = new Membership(config, self, this.#host(node), this.#listener(node), now);
    node.membership = membership;
    membership.start(now, node.wall(this.now));
    this.#tick(node, life);
  }

  startAll(nodes: readonly ControlNode[] = this.nodes): void {
    for (const node of nodes) this.start(node);
  }

  /** The process is killed: its connections are reset, its port refuses. */
  crash(node: ControlNode): void {
    node.thawClock(this.now);
    node.membership = null;
    node.backlog = null;
    node.life++;
    for (const end of [...node.ends.values()]) this.#endLink(end, 'reset');
    node.ends.clear();
  }

  /** The machine vanishes: nothing is ever heard of it again, not even a refusal. */
  unplug(node: ControlNode): void {
    node.thawClock(this.now);
    node.unplugged = true;
    node.membership = null;
    node.backlog = null;
    node.life++;
    node.ends.clear();
  }

  pause(node: ControlNode): void {
    node.backlog ??= [];
  }

  /** A virtual machine is stopped: its monotonic clock stands still. */
  stopMachine(node: ControlNode): void {
    node.freezeClock(this.now);
    this.pause(node);
  }

  resume(node: ControlNode): void {
    node.thawClock(this.now);
    const { backlog } = node;
    node.backlog = null;
    node.membership?.observe(node.monotonic(this.now), node.wall(this.now));
    for (const input of backlog ?? []) input();
  }

  cut(from: ControlNode, to: ControlNode, oneWay = false): void {
    this.#cuts.add(`${from.name}>${to.name}`);
    if (!oneWay) this.#cuts.add(`${to.name}>${from.name}`);
  }

  heal(): void {
    this.#cuts.clear();
  }

  split(sides: readonly (readonly ControlNode[])[]): void {
    this.partitioned = true;
    for (const side of sides) {
      for (const other of sides) {
        if (side === other) continue;
        for (const a of side) for (const b of other) this.cut(a, b);
      }
    }
  }

  /** Runs for so long; throws at the first violation of what must always hold. */
  run(forMs: number): void {
    const until = this.now + forMs;
    while (this.#events.nextAt <= until) this.#step();
    this.now = until;
  }

  /** Runs until the condition holds, for at most so long; how long it took, -1 if it never held. */
  runUntil(condition: () => boolean, limitMs: number): number {
    const since = this.now;
    while (!condition()) {
      if (this.#events.nextAt > since + limitMs) return -1;
      this.#step();
    }
    return this.now - since;
  }

  get up(): ControlNode[] {
    return this.nodes.filter((node) => node.isUp);
  }

  serves(node: ControlNode): boolean {
    if (node.membership === null) return false;
    return node.membership.servesUntil() > node.monotonic(this.now);
  }

  /** Fails unless the condition comes to hold in time; how long it took. */
  within(limitMs: number, what: string, condition: () => boolean): number {
    const tookMs = this.runUntil(condition, limitMs);
    if (tookMs < 0) throw new Error(`not within ${limitMs} ms: ${what}`);
    return tookMs;
  }

  /** Starts nodes and runs until they are one cluster that has been so for a while. */
  form(count: number): ControlNode[] {
    const nodes = this.add(count);
    this.startAll(nodes);
    this.within(10_000, 'one view', () => this.agree(nodes));
    this.run(this.random.between(500, 2500));
    return nodes;
  }

  /** All of these nodes are in one view, of exactly them, and serve. */
  agree(nodes: readonly ControlNode[]): boolean {
    const [first] = nodes;
    const view = first?.view;
    if (view == null || view.members.length !== nodes.length) return false;
    const ids = new Set(view.members.map(({ id }) => id));
    return nodes.every(
      (node) =>
        node.view !== null &&
        sameViewId(node.view.id, view.id) &&
        ids.has(node.id) &&
        this.serves(node),
    );
  }

  describe(): string {
    return this.nodes
      .map((node) => {
        const view = node.view;
        const members = view?.members.map(({ host, id }) => `${host}:${id.slice(0, 4)}`).join(' ');
        const state = node.backlog !== null ? 'paused' : node.isUp ? 'up' : 'down';
        const number = view === null ? '-' : view.id.number;
        return `${node.name}:${node.id.slice(0, 4)} ${state} v${number} [${members ?? ''}]`;
      })
      .join('\n');
  }

  history(): string {
    return this.nodes
      .flatMap((node) => node.log)
      .sort()
      .join('\n');
  }

  #step(): void {
    const event = this.#events.pop();
    this.now = event.at;
    event.run();
    if (this.checks) this.#check();
    if (this.violations.length > 0) {
      const [violation] = this.violations;
      throw new Error(`seed ${this.seed}, at ${this.now.toFixed(1)} ms: ${violation}`);
    }
  }

  // ---- what must hold at every moment

  /** Pairs with a node that has just changed; all pairs now and then, as leases run out. */
  #check(): void {
    const isDue = this.now >= this.#checkAt;
    const touched = isDue ? this.nodes : [...this.#touched];
    if (isDue) this.#checkAt = this.now + CHECK_ALL_MS;
    this.#touched.clear();
    for (const x of touched) {
      if (x.membership === null) continue;
      for (const y of this.nodes) {
        if (x === y || y.membership === null) continue;
        this.#checkLease(x, y);
        this.#checkServing(x, y);
        this.#checkAgreement(x, y);
        if (isDue) continue;
        this.#checkLease(y, x);
        this.#checkServing(y, x);
      }
    }
  }

  /** A short lease that one relies on, the other one remembers. */
  #checkLease(x: ControlNode, y: ControlNode): void {
    if (!(x.membership!.readsUntil(y.id) > x.monotonic(this.now))) return;
    if (y.membership!.grantEnds(x.id) > y.monotonic(this.now)) return;
    if (x.backlog !== null) return;
    this.violations.push(`${x.name} reads by a lease that ${y.name} has forgotten`);
  }

  /**
   * Once one that left another out is certain that its leases are over, the other serves no more.
   * Only the two sides of a partition may both serve, and only where the policy lets them.
   */
  #checkServing(x: ControlNode, y: ControlNode): void {
    if (x.backlog !== null || y.backlog !== null) return;
    if (!this.serves(x) || !this.serves(y)) return;
    if (!this.#leavesOut(x, y) || !this.#isCertain(x)) return;
    const areSides = !isMember(y.view, x) || !isMember(y.prepared, x);
    if (!isMember(y.view, x) && !this.#isCertain(y)) return;
    if (areSides && this.partitioned && this.options.policy === 'available') return;
    this.violations.push(`${x.name} has left out ${y.name}, and both serve`);
  }

  /** It has installed a view without the other one, and is not bound to one with it. */
  #leavesOut(node: ControlNode, other: ControlNode): boolean {
    return !isMember(node.view, other) && !isMember(node.prepared, other);
  }

  #isCertain(node: ControlNode): boolean {
    const install = node.installs.at(-1)!;
    return node.monotonic(this.now) >= install.certainFrom;
  }

  #checkAgreement(x: ControlNode, y: ControlNode): void {
    const a = x.view;
    const b = y.view;
    if (a === null || b === null || a === b || !sameViewId(a.id, b.id)) return;
    if (a.members.map(({ id }) => id).join() !== b.members.map(({ id }) => id).join()) {
      this.violations.push(`${x.name} and ${y.name} know view ${a.id.number} by other members`);
    }
  }

  // ---- processes

  #tick(node: ControlNode, life: number): void {
    const periodMs = this.timeoutMs / 40;
    this.at(periodMs, () => {
      if (node.life !== life) return;
      this.#input(node, life, () => {
        node.membership!.tick(node.monotonic(this.now), node.wall(this.now));
        this.#tick(node, life);
      });
    });
  }

  /** Gives an input to a process, now or when it is resumed. */
  #input(node: ControlNode, life: number, input: () => void): void {
    const guarded = (): void => {
      if (node.life !== life || node.membership === null) return;
      this.#touched.add(node);
      input();
    };
    if (node.life === life && node.backlog !== null) node.backlog.push(guarded);
    else guarded();
  }

  #host(node: ControlNode): MembershipHost {
    return {
      dial: (address) => this.#dial(node, address),
      send: (link, message) => this.#transmit(node, link, message),
      close: (link) => {
        const end = node.ends.get(link);
        if (end === undefined) return;
        end.closed = true;
        this.#endLink(end, 'closed');
      },
      joinAddresses: (): JoinAddresses => ({
        addresses: node.join ?? [],
        unresolved: node.unresolved,
      }),
      randomId: () => this.random.hex(40),
      log: (_level, event, facts) => {
        const at = this.now.toFixed(1).padStart(9);
        node.log.push(`${at} ${node.name} ${event} ${JSON.stringify(facts)}`);
      },
    };
  }

  #listener(node: ControlNode): MembershipListener {
    return {
      prepared: (view) => {
        this.#checkPrepare(node, view);
        node.prepared = view;
      },
      installed: (install) => {
        node.installs.push(install);
        this.#checkInstall(node, install);
      },
      excluded: () => {
        node.exclusions++;
        node.installs = [];
        node.leftOut.clear();
        node.prepared = null;
      },
      status: () => ({ ...STATUS, primaries: node.keys }),
      heard: () => {},
      isKnown: () => node.known,
      saidGoodbye: () => undefined,
      isMerging: () => false,
      mayMerge: () => true,
    };
  }

  /** Who was left out once comes back as another incarnation, or when two sides meet. */
  #checkPrepare(node: ControlNode, view: View): void {
    const ids = new Set(view.members.map(({ id }) => id));
    for (const { id } of node.prepared?.members ?? []) if (!ids.has(id)) node.leftOut.add(id);
    if (this.partitioned && this.options.policy === 'available') return;
    for (const id of ids) {
      if (!node.leftOut.has(id)) continue;
      this.violations.push(`${node.name} prepares a view with one that it has left out`);
    }
  }

  /** Whoever is in a view that takes effect is bound to it, or to a later one. */
  #checkInstall(node: ControlNode, { view, full, merge }: Install): void {
    for (const other of this.nodes) {
      if (!other.isUp || !isMember(view, other)) continue;
      const { prepared } = other;
      if (prepared === null || compareViewIds(prepared.id, view.id) < 0) {
        this.violations.push(
          `${node.name} installs ${view.id.number} before ${other.name} is bound`,
        );
      }
      const same = other.installs.find((install) => sameViewId(install.view.id, view.id));
      if (same !== undefined && (same.full !== full || same.merge !== merge)) {
        this.violations.push(
          `${node.name} and ${other.name} install ${view.id.number} differently`,
        );
      }
    }
  }

  // ---- connections

  #delay(): number {
    const { delayMsMax } = this.options;
    const delay = this.random.between(0.05, delayMsMax);
    return this.random.next() < 0.01 ? delay * 20 : delay;
  }

  isCut(from: ControlNode, to: ControlNode): boolean {
    return from.unplugged || to.unplugged || this.#cuts.has(`${from.name}>${to.name}`);
  }

  #dial(node: ControlNode, address: Address): number {
    const link = ++this.#links;
    const end = this.#newEnd(node, link);
    const target = this.nodes.find(({ address: { host } }) => host === address.host);
    const { life } = node;
    const fail = (reason: LinkEnd): void => {
      this.#input(node, life, () => this.#closed(end, reason));
    };
    this.at(DIAL_TIMEOUT_MS, () => {
      if (!end.open && !end.closed) fail('timeout');
    });
    if (target === undefined) {
      this.at(this.#delay(), () => fail('unreachable'));
      return link;
    }
    if (this.isCut(node, target)) return link;
    this.at(this.#delay(), () => {
      if (this.isCut(node, target) || this.isCut(target, node)) return;
      if (!target.isUp) {
        this.at(this.#delay(), () => fail('refused'));
        return;
      }
      if (end.closed) return;
      const accepted = this.#newEnd(target, ++this.#links);
      accepted.open = true;
      accepted.other = end;
      end.other = accepted;
      this.#input(target, target.life, () => {
        target.membership!.linkAccepted(accepted.link, target.monotonic(this.now));
      });
      this.at(this.#delay(), () => {
        if (end.closed) return;
        end.open = true;
        this.#input(node, life, () => {
          if (!end.closed) node.membership!.linkOpened(link, node.monotonic(this.now));
        });
      });
    });
    return link;
  }

  #newEnd(node: ControlNode, link: number): End {
    const end: End = {
      node,
      life: node.life,
      link,
      other: null,
      arrivesAt: 0,
      open: false,
      closed: false,
    };
    node.ends.set(link, end);
    return end;
  }

  #closed(end: End, reason: LinkEnd): void {
    if (end.closed) return;
    end.closed = true;
    end.node.ends.delete(end.link);
    end.node.membership!.linkClosed(end.link, reason, end.node.monotonic(this.now));
  }

  /** One side ended the link: the other side hears of it after what was sent before. */
  #endLink(end: End, reason: LinkEnd): void {
    end.closed = true;
    end.node.ends.delete(end.link);
    const { other } = end;
    if (other === null || other.closed) return;
    this.#carry(end.node, other, () => this.#closed(other, reason));
  }

  #transmit(node: ControlNode, link: number, message: ControlMessage): void {
    const end = node.ends.get(link);
    const other = end?.other;
    if (end === undefined || end.closed || other == null) return;
    this.messages++;
    if (this.intercept?.(node, other.node, message)) {
      this.at(0, () => {
        this.#endLink(end, 'reset');
        this.#input(node, end.life, () => {
          end.closed = false;
          this.#closed(end, 'reset');
        });
      });
      return;
    }
    const decoded = this.messages % DECODE_EVERY === 0 ? recode(message) : message;
    this.#carry(node, other, () => {
      if (decoded === null) {
        this.violations.push(`${node.name} sent a ${message.kind} that nobody understands`);
        return;
      }
      const receiver = other.node;
      if (other.closed) return;
      const now = receiver.monotonic(this.now);
      receiver.membership!.received(other.link, decoded, now, receiver.wall(this.now));
    });
  }

  /** Delivers in order; what meets a cut waits for it to heal, or ends the link. */
  #carry(from: ControlNode, other: End, deliver: () => void): void {
    const at = Math.max(this.now + this.#delay(), other.arrivesAt);
    other.arrivesAt = at;
    const sentAt = this.now;
    const attempt = (): void => {
      if (other.closed && other.node.life !== other.life) return;
      if (!this.isCut(from, other.node)) {
        this.#input(other.node, other.life, deliver);
        return;
      }
      if (this.now - sentAt > STALL_MAX_MS) {
        this.#input(other.node, other.life, () => this.#closed(other, 'timeout'));
        return;
      }
      other.arrivesAt = Math.max(other.arrivesAt, this.now + RETRANSMIT_MS);
      this.at(RETRANSMIT_MS, attempt);
    };
    this.#events.push(at, attempt);
  }
}

function isMember(view: View | null, node: ControlNode): boolean {
  return view?.members.some(({ id }) => id === node.id) ?? false;
}

function recode(message: ControlMessage): ControlMessage | null {
  return decodeControlMessage(JSON.parse(JSON.stringify(message)));
}

/**
 * Runs a scenario for those of many seeds that are this version's of Node; the first failure names its seed. SEED=n in the
 * environment runs that one and prints its history, SEEDS=f runs f times as many. Returns how many runs were made.
 */
export function eachSeed(
  count: number,
  options: NetworkOptions | ((seed: number) => NetworkOptions),
  scenario: (net: ControlNetwork) => void,
): number {
  const { SEED = '0', SEEDS = '1' } = process.env;
  const only = Number(SEED);
  const last = only || Math.ceil(count * Number(SEEDS));
  let made = 0;
  for (let seed = only || 1; seed <= last; seed++) {
    if (only === 0 && !isOwn(seed)) continue;
    made++;
    const net = new ControlNetwork(seed, typeof options === 'function' ? options(seed) : options);
    try {
      scenario(net);
    } catch (error) {
      if (only > 0) process.stderr.write(`${net.history()}\n${net.describe()}\n`);
      throw new Error(`SEED=${seed}: ${(error as Error).message}`);
    }
  }
  return made;
}
