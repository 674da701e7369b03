import { KEYS_PER_TURN } from '../../lib/base/limits.js';
import { PART_BYTES } from '../../lib/cluster/large-frame.js';
import type { FaultKind } from './faults.js';

/** What is done to a cluster, and how much of it. */
export interface Profile {
  readonly nodes: number;
  /** Machines that run nothing at first. */
  readonly spares: number;
  readonly nodeTimeoutMs: number;
  readonly delayMsMax: number;
  /** Share of deliveries and turns that come late: ten times as long, one in ten of them a hundred times. */
  readonly lateShare: number;
  /** Share of looks at the clock that times commands at which much time has passed. */
  readonly slowShare: number;
  /** No command of a cluster that has formed waits longer, be it refused for now; 0: no bound. */
  readonly waitMsMax: number;
  /** Wall clocks of two machines are apart by at most this. */
  readonly clockSkewMs: number;
  readonly partitionPolicy: 'available' | 'majority';
  readonly takeOverAfter: number;
  /** Machines are in so many zones, in turns; 0: in none. */
  readonly zones: number;
  readonly locationList: 'anchor' | 'all';
  readonly faults: Partial<Record<FaultKind, number>>;
  readonly faultEveryMs: number;
  /** A pause lasts at most so long; 0: three node-timeouts. */
  readonly pauseMsMax: number;
  /** One clock at a time jumps ahead by at most this. */
  readonly clockJumpMs: number;
  /** The next failure comes only when the last one is overcome: nothing may be lost. */
  readonly oneAtATime: boolean;
  /** The cluster is cut in two so many times, each for longer than node-timeout. */
  readonly splits: number;
  /** How long a cut lasts at least and at most, in node-timeouts. */
  readonly splitLasts: readonly [number, number];
  /** How many sides a partition has. */
  readonly splitSides: 2 | 3;
  /** A node of a side that lacks no copy is killed while the sides merge. */
  readonly mergeCrashes: boolean;
  readonly tombstoneTtlMs: number;
  /** Faults and clients go on for so long. */
  readonly durationMs: number;
  readonly clients: number;
  /** Letters of the kinds of keys (`WorkloadOptions`). */
  readonly kinds: string;
  /** Keys of each kind. */
  readonly keys: number;
  readonly thinkMsMax: number;
  /** All clients go for the same key at moments so far apart; 0: each when it likes. */
  readonly raceMs: number;
  /** Share of deliveries whose bytes come in pieces. */
  readonly cutShare: number;
  /** Values that are larger travel in parts of so many bytes. */
  readonly partBytes: number;
  /** `MSET` and `MSETNX` of more pairs run in slices of so many. */
  readonly stepKeys: number;
  /** 0 for no limit. */
  readonly maxMemoryBytes: number;
  readonly maxMemoryPolicy: 'noeviction' | 'allkeys-lru' | 'volatile-lru' | 'volatile-ttl';
  /** Share of large values that are sent as they are drawn; others are made small. */
  readonly largeShare: number;
  /** Share of commands that a client sends to the node that it is stuck to. */
  readonly stickyShare: number;
  readonly routing: 'sticky' | 'round-robin' | 'all';
  /** Share of commands that only read; of the others many do as well. */
  readonly readShare: number;
  /** Share of commands on the whole keyspace: SCAN, FLUSHALL, DBSIZE. */
  readonly scanShare: number;
  /** KEYS instead of SCAN. */
  readonly scansWhole: boolean;
  /** Share of commands on keys of pairs. */
  readonly pairShare: number;
  /** Share of transactions. */
  readonly transferShare: number;
  /** Share of PUBLISH, and clients that subscribe. */
  readonly publishShare: number;
  readonly subscribers: number;
  /** A client gives a command up after so long, and goes elsewhere; 0: never. */
  readonly patienceMs: number;
  /** Nodes write snapshots when all stop, and load them. */
  readonly snapshots: boolean;
  /** While the cluster is cut, somebody may be told to forget members of another side. */
  readonly forgets: boolean;
}

const BASE: Profile = {
  nodes: 3,
  spares: 0,
  nodeTimeoutMs: 2000,
  delayMsMax: 1,
  lateShare: 0.02,
  slowShare: 0,
  waitMsMax: 0,
  clockSkewMs: 5,
  partitionPolicy: 'available',
  takeOverAfter: 3,
  zones: 0,
  locationList: 'anchor',
  faults: {},
  faultEveryMs: 1500,
  pauseMsMax: 0,
  clockJumpMs: 0,
  oneAtATime: true,
  splits: 0,
  splitLasts: [1.7, 5],
  splitSides: 2,
  mergeCrashes: false,
  tombstoneTtlMs: 3_600_000,
  durationMs: 15_000,
  clients: 6,
  kinds: 'rec',
  keys: 4,
  thinkMsMax: 25,
  raceMs: 0,
  cutShare: 0.15,
  partBytes: PART_BYTES,
  stepKeys: KEYS_PER_TURN,
  maxMemoryBytes: 0,
  maxMemoryPolicy: 'noeviction',
  largeShare: 0.2,
  stickyShare: 0.8,
  routing: 'sticky',
  readShare: 0,
  scanShare: 0,
  scansWhole: false,
  pairShare: 0.05,
  transferShare: 0,
  publishShare: 0,
  subscribers: 0,
  patienceMs: 0,
  snapshots: false,
  forgets: false,
};

const OPERATIONS: Profile['faults'] = {
  lose: 1,
  'stop-all': 1,
  'stop-in-turn': 0.5,
  'stop-and-kill': 1,
  crash: 0.5,
  pause: 0.5,
  drain: 0.3,
  leave: 0.5,
  join: 2,
  forget: 0.5,
};

/** Nothing is late, and so no command may be, as one is that has to wait for the next tick, which comes every 200 ms. */
const PROMPT: Profile = { ...BASE, nodeTimeoutMs: 8000, lateShare: 0, waitMsMax: 100 };

export const PROFILES: Readonly<Record<string, Profile>> = {
  calm: { ...BASE, durationMs: 5000 },
  /** Everybody wants the same few keys, by ones and twos; nothing is late: nobody may have to wait for a tick. */
  prompt: { ...PROMPT, kinds: 'r', clients: 12, pairShare: 0, durationMs: 8000 },
  /** Members come, and go in good order: the others' clients notice nothing. */
  graceful: {
    ...PROMPT,
    nodes: 4,
    faults: { leave: 1 },
    faultEveryMs: 2000,
    kinds: 'r',
    keys: 200,
    clients: 12,
    pairShare: 0,
  },
  crash: { ...BASE, faults: { crash: 1 } },
  slow: { ...BASE, faults: { crash: 1 }, delayMsMax: 15, thinkMsMax: 10 },
  /** Commands, transactions and parts of them that take long, mostly at other nodes. */
  'slow-commands': {
    ...BASE,
    kinds: 'recHZ',
    slowShare: 0.3,
    stickyShare: 0.3,
    pairShare: 0.12,
    transferShare: 0.2,
    stepKeys: 1,
    faults: { crash: 1, reset: 1 },
  },
  silent: { ...BASE, faults: { 'silent-crash': 1, crash: 0.3 }, durationMs: 25_000 },
  pair: { ...BASE, nodes: 2, faults: { crash: 1 } },
  pause: { ...BASE, faults: { pause: 1 }, durationMs: 25_000 },
  links: { ...BASE, faults: { cut: 1, reset: 1 }, durationMs: 30_000 },
  resets: { ...BASE, faults: { reset: 1 }, faultEveryMs: 60, durationMs: 8000 },
  joins: { ...BASE, spares: 2, faults: { join: 1, leave: 1, crash: 1 }, durationMs: 20_000 },
  rolling: { ...BASE, faults: { leave: 1 }, faultEveryMs: 800, durationMs: 20_000 },
  /** Nodes that leave one after another under many clients without a home. */
  busy: {
    ...BASE,
    nodes: 5,
    clients: 16,
    stickyShare: 0.2,
    thinkMsMax: 6,
    faults: { leave: 1 },
    faultEveryMs: 500,
    durationMs: 8000,
  },
  skew: { ...BASE, clockSkewMs: 500, faults: { crash: 1, pause: 0.5, clock: 1 } },
  /** Values, changes of several keys, questions and answers in parts. */
  large: {
    ...BASE,
    spares: 1,
    partBytes: 200,
    stepKeys: 1,
    largeShare: 1,
    pairShare: 0.12,
    scanShare: 0.06,
    scansWhole: true,
    keys: 2,
    thinkMsMax: 6,
    durationMs: 8000,
    faults: { crash: 1, reset: 2, join: 0.5, leave: 0.3 },
    faultEveryMs: 800,
  },
  memory: {
    ...BASE,
    largeShare: 1,
    keys: 40,
    thinkMsMax: 10,
    durationMs: 8000,
    maxMemoryBytes: 600_000,
    faults: { crash: 1, reset: 0.5 },
  },
  evict: {
    ...BASE,
    largeShare: 1,
    keys: 40,
    thinkMsMax: 10,
    durationMs: 8000,
    maxMemoryBytes: 600_000,
    maxMemoryPolicy: 'allkeys-lru',
    faults: { crash: 1, reset: 0.5 },
  },
  mixed: {
    ...BASE,
    nodes: 4,
    spares: 1,
    delayMsMax: 4,
    clockSkewMs: 100,
    faults: {
      crash: 2,
      'silent-crash': 0.5,
      pause: 1,
      cut: 1,
      join: 0.6,
      leave: 0.6,
      reset: 1,
      clock: 0.3,
    },
    faultEveryMs: 1000,
    durationMs: 25_000,
    clients: 8,
  },
  partition: { ...BASE, nodes: 4, faults: { reset: 1, clock: 0.3 }, clockSkewMs: 20, splits: 3 },
  /** Sides that meet while much is on its way in parts, and tell in parts what they have: of two keys together already. */
  'large-split': {
    ...BASE,
    nodes: 4,
    kinds: 'rc',
    keys: 6,
    partBytes: 60,
    stepKeys: 1,
    pairShare: 0.12,
    faults: { reset: 1 },
    clockSkewMs: 20,
    splits: 3,
  },
  /** The same of collections, whose changes travel as edits. */
  'collections-split': {
    ...BASE,
    nodes: 4,
    kinds: 'HSLZ',
    keys: 2,
    thinkMsMax: 15,
    partBytes: 300,
    faults: { reset: 1 },
    clockSkewMs: 20,
    splits: 3,
  },
  'merge-crash': {
    ...BASE,
    nodes: 5,
    faults: { reset: 1 },
    clockSkewMs: 20,
    splits: 3,
    mergeCrashes: true,
  },
  'three-sides': {
    ...BASE,
    nodes: 6,
    faults: { reset: 1 },
    clockSkewMs: 20,
    splits: 3,
    splitSides: 3,
  },
  /** Clients without a home, links that take their time: keys are on the move all the time. */
  roam: {
    ...BASE,
    delayMsMax: 8,
    clients: 12,
    keys: 2,
    thinkMsMax: 5,
    stickyShare: 0.1,
    takeOverAfter: 1,
    faults: { crash: 1 },
    durationMs: 6000,
  },
  keyspace: {
    ...BASE,
    delayMsMax: 8,
    scanShare: 0.15,
    takeOverAfter: 1,
    stickyShare: 0.3,
    spares: 1,
    faults: { crash: 1, join: 1, leave: 1 },
    durationMs: 12_000,
  },
  /** One node cut off from the others, and clients that go on reading from it. */
  alone: {
    ...BASE,
    partitionPolicy: 'majority',
    faults: { partition: 1, deaf: 1 },
    faultEveryMs: 300,
    clients: 10,
    keys: 6,
    readShare: 0.8,
    patienceMs: 100,
    durationMs: 20_000,
  },
  /** One node that hears the others late, and is then not heard itself, and clients that go on reading from it. */
  late: {
    ...BASE,
    partitionPolicy: 'majority',
    faults: { late: 1 },
    faultEveryMs: 300,
    // Clocks are told late, too: what expires may be there for so much longer.
    kinds: 'rc',
    clients: 10,
    keys: 6,
    readShare: 0.8,
    patienceMs: 100,
    durationMs: 20_000,
  },
  /** One node that does not hear the others, until about the moment at which it would go on without them. */
  deaf: { ...BASE, faults: { deaf: 1 }, durationMs: 25_000 },
  /** Machines that stand still with their clocks. */
  stop: {
    ...BASE,
    faults: { stop: 1 },
    faultEveryMs: 300,
    clients: 10,
    keys: 6,
    readShare: 0.8,
    patienceMs: 100,
    durationMs: 20_000,
  },
  // Apart for longer than deletes are remembered.
  forgotten: {
    ...BASE,
    nodes: 4,
    nodeTimeoutMs: 500,
    splits: 2,
    splitLasts: [10, 20],
    tombstoneTtlMs: 1000,
    faults: { reset: 1 },
    keys: 2,
  },
  /** Users of a session store, behind balancers of all kinds. */
  sessions: {
    ...BASE,
    nodes: 5,
    spares: 1,
    kinds: 'u',
    keys: 12,
    clients: 9,
    stickyShare: 0.98,
    routing: 'all',
    faults: { crash: 1, pause: 0.5, leave: 0.5, join: 0.5 },
    durationMs: 12_000,
  },
  /** Every node creates the same key at the same moment. */
  races: {
    ...BASE,
    nodes: 7,
    delayMsMax: 3,
    kinds: 'rc',
    keys: 2,
    clients: 14,
    raceMs: 40,
    routing: 'round-robin',
    faults: { crash: 1, reset: 0.5 },
    durationMs: 6000,
  },
  /** Transactions by clients that go to any node, so that accounts and counters move all the time. */
  transfers: {
    ...BASE,
    nodes: 4,
    kinds: 'r',
    keys: 2,
    clients: 8,
    thinkMsMax: 15,
    takeOverAfter: 1,
    stickyShare: 0.3,
    transferShare: 0.8,
    faults: { crash: 1, reset: 0.5, leave: 0.2 },
    spares: 1,
  },
  /** Clients that wait for lists and sorted sets, and some that fill them, at any node. */
  queues: {
    ...BASE,
    nodes: 4,
    spares: 1,
    kinds: 'QP',
    keys: 2,
    clients: 10,
    thinkMsMax: 20,
    takeOverAfter: 1,
    stickyShare: 0.5,
    pairShare: 0,
    faults: { crash: 1, reset: 0.5, leave: 0.3, join: 0.3, pause: 0.3 },
    durationMs: 10_000,
  },
  /** Messages to subscribers that come and go, of all sizes. */
  messages: {
    ...BASE,
    nodes: 4,
    spares: 1,
    kinds: 'r',
    keys: 2,
    clients: 8,
    thinkMsMax: 15,
    publishShare: 0.9,
    subscribers: 8,
    faults: { crash: 1, reset: 0.3, leave: 0.5, join: 1, pause: 0.1 },
    durationMs: 8000,
  },
  locks: {
    ...BASE,
    nodes: 4,
    kinds: 'lc',
    keys: 2,
    clients: 8,
    thinkMsMax: 15,
    faults: { crash: 1, leave: 0.3 },
  },
  /** Collections: changes that build on the one before, and now and then go in parts. */
  collections: {
    ...BASE,
    nodes: 4,
    spares: 1,
    kinds: 'HSLZ',
    keys: 2,
    thinkMsMax: 10,
    faults: { crash: 1, reset: 1, pause: 0.3, leave: 0.3, join: 0.3 },
    durationMs: 12_000,
  },
  /** The same, with values that are on their way in parts most of the time, and clients without a home. */
  'collections-roam': {
    ...BASE,
    delayMsMax: 8,
    kinds: 'HSLZ',
    keys: 2,
    clients: 10,
    thinkMsMax: 6,
    partBytes: 300,
    largeShare: 1,
    stickyShare: 0.2,
    takeOverAfter: 1,
    faults: { crash: 1, reset: 2 },
    durationMs: 6000,
  },
  /** Many nodes, and little else. */
  wide: {
    ...BASE,
    nodes: 9,
    clients: 9,
    routing: 'all',
    faults: { crash: 1, pause: 0.5, cut: 0.5, reset: 0.5, leave: 0.5 },
    durationMs: 8000,
  },
  /** Processes that stand still for longer than deletes are remembered. */
  frozen: {
    ...BASE,
    nodes: 4,
    nodeTimeoutMs: 500,
    tombstoneTtlMs: 3000,
    pauseMsMax: 9000,
    faults: { pause: 1 },
    durationMs: 25_000,
  },
  /** All nodes but one leave at the same moment, or all of them. */
  drain: {
    ...BASE,
    nodes: 4,
    faults: { leave: 0.5, drain: 1, shutdown: 0.5 },
    faultEveryMs: 2500,
    durationMs: 20_000,
  },
  /** A clock that is ahead of all others by up to a minute, for a while. */
  jump: { ...BASE, clockJumpMs: 60_000, faults: { jump: 1, crash: 0.5 } },
  /** Three zones, of two or of one machine. */
  zones: {
    ...BASE,
    nodes: 5,
    spares: 1,
    zones: 3,
    stickyShare: 0.5,
    takeOverAfter: 2,
    faults: { crash: 1, pause: 0.3, leave: 0.5, join: 0.5, reset: 0.5 },
    faultEveryMs: 1000,
  },
  /** Two zones, and two sides, neither of which need have both. */
  'zones-split': {
    ...BASE,
    nodes: 5,
    zones: 2,
    stickyShare: 0.5,
    faults: { reset: 1, clock: 0.3 },
    clockSkewMs: 20,
    splits: 3,
  },
  /** Every member has the list of all locations. */
  'list-all': {
    ...BASE,
    nodes: 4,
    spares: 1,
    locationList: 'all',
    stickyShare: 0.5,
    faults: { crash: 1, leave: 0.5, join: 0.5, reset: 0.5 },
    faultEveryMs: 1000,
  },
  'list-all-split': {
    ...BASE,
    nodes: 5,
    zones: 3,
    locationList: 'all',
    faults: { reset: 1, clock: 0.3 },
    clockSkewMs: 20,
    splits: 3,
  },
  /**
   * What operators do: members that are lost for good, and forgotten; the whole cluster stopped, at once or one by one, and
   * started again with its snapshots; drains and joins between.
   */
  operations: {
    ...BASE,
    spares: 2,
    kinds: 'recHZ',
    keys: 3,
    snapshots: true,
    faults: OPERATIONS,
    faultEveryMs: 700,
    durationMs: 20_000,
  },
  /** The same where two are left now and then, and the younger one cannot go on without a word. */
  'operations-majority': {
    ...BASE,
    kinds: 'recHZ',
    keys: 3,
    partitionPolicy: 'majority',
    snapshots: true,
    faults: { ...OPERATIONS, lose: 2, join: 0.5 },
    faultEveryMs: 700,
    durationMs: 20_000,
  },
  /** Members of the other side are forgotten, and are back. */
  'forget-split': {
    ...BASE,
    nodes: 5,
    nodeTimeoutMs: 500,
    splitLasts: [4, 20],
    faults: { reset: 1 },
    clockSkewMs: 20,
    splits: 3,
    forgets: true,
  },
  majority: {
    ...BASE,
    nodes: 5,
    partitionPolicy: 'majority',
    faults: { partition: 1, crash: 0.5, cut: 0.5 },
    durationMs: 30_000,
  },
};
