import { SLOTS } from '../../lib/cluster/cluster-state.js';
import { Flag } from '../../lib/cluster/entry-flags.js';
import type { View } from '../../lib/cluster/member.js';
import { MoveState } from '../../lib/cluster/move.js';
import type { Peer } from '../../lib/cluster/peer.js';
import { keySlot } from '../../lib/protocol/crc16.js';
import { type Ref, Role, type Store, ValueType } from '../../lib/store/store.js';
import { type Call, showCall } from './history.js';
import type { Machine, Process } from './process.js';
import type { Found } from './violation.js';

interface Watched {
  readonly bytes: Buffer;
  readonly slot: number;
}

const watchedKeys = new Map<string, Watched>();

/** The same few keys are looked for all the time: their bytes and slots are kept. */
function watchedOf(key: string): Watched {
  let watched = watchedKeys.get(key);
  if (watched === undefined) {
    const bytes = Buffer.from(key, 'latin1');
    watched = { bytes, slot: keySlot(bytes, 0, bytes.length) };
    watchedKeys.set(key, watched);
  }
  return watched;
}

function find(store: Store, { bytes, slot }: Watched): Ref {
  return store.countInSlot(slot) === 0 ? 0 : store.find(0, bytes, 0, bytes.length);
}

export const findKey = (store: Store, key: string): Ref => find(store, watchedOf(key));

/** Whether the process, which serves, would answer a read of this primary entry at once. */
function mayAct(process: Process, ref: Ref): boolean {
  const { store, node } = process;
  if (node.state.merging[store.slot(ref)] === 1 || node.state.isDoubtful) return false;
  if (store.role(ref) !== Role.Primary || (store.flags(ref) & Flag.Busy) !== 0) return false;
  const now = process.monotonic;
  if ((store.flags(ref) & Flag.Moving) !== 0) {
    const { from, to, state } = node.moves.moveOf(ref);
    return mayReadFor(from, now) && (state === MoveState.Lease || mayReadFor(to, now));
  }
  return mayReadFor(node.state.livePeer(store.peer(ref)), now);
}

const mayReadFor = (peer: Peer | null, now: number): boolean =>
  peer === null || now < peer.readsUntil;

function acts(process: Process, key: Watched): boolean {
  const ref = find(process.store, key);
  return ref !== 0 && mayAct(process, ref);
}

/** Each counts the other as a member. */
function areTogether(one: Process, other: Process): boolean {
  if (one === other) return false;
  const counts = (a: Process, b: Process): boolean =>
    a.node.state.view?.members.some(({ id }) => id === b.incarnation) ?? false;
  return counts(one, other) && counts(other, one);
}

/** Two nodes that both act as primary of one key (I1); two sides of a partition may each have one. */
export function checkPrimaries(
  processes: readonly Process[],
  keys: readonly string[],
  isSplit: boolean,
): Found | null {
  const serving = processes.filter((process) => process.serves && !process.isPaused);
  if (serving.length < 2) return null;
  for (const key of keys) {
    const watched = watchedOf(key);
    let count = 0;
    for (const process of serving) if (acts(process, watched)) count++;
    if (count < 2) continue;
    const acting = serving.filter((process) => acts(process, watched));
    const others = isSplit
      ? acting.filter((one) => acting.some((other) => areTogether(one, other)))
      : acting;
    if (others.length === 0) continue;
    const names = others.map(({ name }) => name).join(' and ');
    return { what: `${names} are both primary of ${key}`, key };
  }
  return null;
}

/** One of the largest values (70 KB) from each of two others and from its own clients, and what is small beside them. */
const OVER_LIMIT_BYTES_MAX = 250_000;

/** A process that goes on taking more than it may. */
export function checkMemory(processes: readonly Process[]): Found | null {
  for (const { name, node, store } of processes) {
    const limit = node.state.config.maxMemoryBytes;
    if (limit === 0 || store.usedBytes <= limit + OVER_LIMIT_BYTES_MAX) continue;
    return { what: `${name} takes ${store.usedBytes} bytes, ${limit} allowed`, key: null };
  }
  return null;
}

/**
 * A process that says that every key has two copies, and a key that has one (I5); each also speaks for the copies that it
 * holds itself. Who has not learned of a death yet may say so for a moment longer; what was not acknowledged yet does
 * not count.
 */
export function checkRedundancy(
  processes: readonly Process[],
  keys: readonly string[],
): Found | null {
  const byId = new Map(processes.map((process) => [process.incarnation, process]));
  const looked = new Map<string, readonly Sole[]>();
  for (const claimer of processes) {
    const { state, settling } = claimer.node;
    const { view } = state;
    if (view === null || view.members.length < 2 || state.isChanging) continue;
    if (settling.keysWithoutBackup > 0) continue;
    // Members of one view see the same copies.
    const id = `${view.id.number} ${view.id.coordinator}`;
    let sole = looked.get(id);
    if (sole === undefined) {
      sole = solesIn(view, byId, keys);
      looked.set(id, sole);
    }
    if (sole.length === 0) continue;
    const speaksForAll = claimer.node.keysWithoutBackup() === 0;
    const lost = sole.find(({ holder }) => speaksForAll || holder === claimer);
    if (lost === undefined) continue;
    const { key } = lost;
    return { what: `${claimer.name} says that keys have two copies, ${key} has one`, key };
  }
  return null;
}

/** A key of which there is one copy, and who holds it. */
interface Sole {
  readonly key: string;
  readonly holder: Process;
}

/** Keys of which the members of that view hold one copy; none while not all of them are there, and in it. */
function solesIn(
  view: View,
  byId: ReadonlyMap<string, Process>,
  keys: readonly string[],
): readonly Sole[] {
  const members: Process[] = [];
  for (const { id } of view.members) {
    const member = byId.get(id);
    if (member === undefined || member.isPaused || member.node.state.flushing) return [];
    if (member.node.state.view?.id.number !== view.id.number) return [];
    members.push(member);
  }
  return soleHolders(members, keys);
}

function soleHolders(processes: readonly Process[], keys: readonly string[]): Sole[] {
  return keys.flatMap((key) => {
    const holder = soleHolder(processes, watchedOf(key));
    return holder === null ? [] : [{ key, holder }];
  });
}

function soleHolder(processes: readonly Process[], key: Watched): Process | null {
  let holder: Process | null = null;
  for (const process of processes) {
    const ref = find(process.store, key);
    const role = ref === 0 ? Role.Record : process.store.role(ref);
    if (role === Role.Record) continue;
    if (role === Role.Tombstone || holder !== null) return null;
    holder = process;
  }
  return holder === null || !isSole(holder, find(holder.store, key)) ? null : holder;
}

/** Whether the only copy of a key counts as one that ought to have a second. */
function isSole({ store, node }: Process, ref: Ref): boolean {
  const backup = node.state.peer(store.peer(ref));
  if (store.role(ref) !== Role.Primary) {
    // It has just given the role away, perhaps with a change that the new primary is yet to read.
    const isSwapping = backup?.isLive && backup.stream.acked < backup.stream.log.endOffset;
    return !isSwapping;
  }
  const isAcked = backup === null || store.changeOffset(ref) <= backup.stream.acked;
  return isAcked && (store.flags(ref) & Flag.Busy) === 0;
}

/** What must hold when nothing happens any more: every key on two nodes that agree, and nothing left open. */
export class CalmChecks {
  readonly #processes: readonly Process[];
  readonly #keys: readonly string[];

  constructor(processes: readonly Process[], keys: readonly string[]) {
    this.#processes = processes;
    this.#keys = keys;
  }

  run(): Found | null {
    for (const key of this.#keys) {
      const what = this.#checkKey(key);
      if (what !== null) return { what: `${what}:\n  ${this.#describe(key).join('\n  ')}`, key };
    }
    for (const process of this.#processes) {
      const open = Object.entries(process.node.open).filter(([, count]) => count > 0);
      if (open.length === 0) continue;
      const list = open.map(([name, count]) => `${name} ${count}`).join(', ');
      return { what: `${process.name} still has open: ${list}`, key: null };
    }
    return null;
  }

  #checkKey(key: string): string | null {
    const copies = this.#processes.flatMap((process) => {
      const ref = findKey(process.store, key);
      return ref !== 0 && process.store.role(ref) < Role.Record ? [{ process, ref }] : [];
    });
    if (copies.length === 0) return this.#checkAbsent(key);
    const primaries = copies.filter(({ process, ref }) => process.store.role(ref) === Role.Primary);
    // It has just expired: its backup is about to learn of it.
    if (primaries.length === 0 && this.#isBeingDeleted(key)) return null;
    if (primaries.length !== 1) return `${key} has ${primaries.length} primaries`;
    const { process, ref } = primaries[0]!;
    const { store } = process;
    if ((store.flags(ref) & (Flag.Busy | Flag.Moving | Flag.Held)) !== 0) {
      return `${key} is not at rest on its primary`;
    }
    if (this.#processes.length === 1) return null;
    if (copies.length !== 2) return `${key} is on ${copies.length} nodes`;
    const backup = copies.find((copy) => copy.process !== process)!;
    return (
      this.#comparePair(key, process, ref, backup.process, backup.ref) ??
      this.#checkAnchor(key, process, ref)
    );
  }

  #isBeingDeleted(key: string): boolean {
    return this.#processes.some((process) => {
      const ref = findKey(process.store, key);
      return ref !== 0 && process.node.state.isOpenDelete(ref);
    });
  }

  #comparePair(key: string, p: Process, ref: Ref, b: Process, copy: Ref): string | null {
    const { store } = p;
    if (p.node.state.peer(store.peer(ref))?.id !== b.incarnation) {
      return `${key}: the primary names another backup`;
    }
    if (b.node.state.peer(b.store.peer(copy))?.id !== p.incarnation) {
      return `${key}: the backup names another primary`;
    }
    if ((b.store.flags(copy) & Flag.Full) === 0) return `${key}: the backup has not all rights`;
    if (store.version(ref) !== b.store.version(copy)) return `${key}: versions differ`;
    // Of a key that is only reserved, each remembers the delete that it knows of.
    if (store.type(ref) === ValueType.None && b.store.type(copy) === ValueType.None) return null;
    if (store.expireAt(ref) !== b.store.expireAt(copy)) return `${key}: expiries differ`;
    if (store.type(ref) !== b.store.type(copy)) return `${key}: types differ`;
    if (store.encodingFlags(ref) !== b.store.encodingFlags(copy)) return `${key}: encodings differ`;
    if (value(store, ref) !== value(b.store, copy)) return `${key}: values differ`;
    return null;
  }

  /** The anchor has an entry for every key that exists (I9). */
  #checkAnchor(key: string, primary: Process, ref: Ref): string | null {
    const slot = primary.store.slot(ref);
    const anchor = this.#processes.find((process) => process.node.state.isAnchor(slot))!;
    const entry = findKey(anchor.store, key);
    if (entry === 0 || anchor.store.role(entry) === Role.Tombstone) {
      return `${key}: its anchor ${anchor.name} has no entry`;
    }
    if (anchor.node.state.known[slot] === 0) return `slot of ${key} is not known to its anchor`;
    return null;
  }

  #checkAbsent(key: string): string | null {
    const left = this.#processes.find((process) => {
      const ref = findKey(process.store, key);
      return ref !== 0 && process.store.role(ref) === Role.Record;
    });
    return left === undefined ? null : `${key} is absent, and ${left.name} has a record of it`;
  }

  #describe(key: string): string[] {
    return this.#processes.map((process) => {
      const { store } = process;
      const ref = findKey(store, key);
      if (ref === 0) return `${process.name}: nothing`;
      const peer = process.node.state.peer(store.peer(ref));
      const peerName = this.#processes.find(({ incarnation }) => incarnation === peer?.id)?.name;
      const anchors = process.node.state.isAnchor(store.slot(ref)) ? ', anchor' : '';
      return (
        `${process.name}: role ${store.role(ref)} flags ${store.flags(ref)} peer ${peerName ?? '-'} ` +
        `version ${store.version(ref)} expiry ${store.expireAt(ref)} ${value(store, ref).slice(0, 40)}` +
        anchors
      );
    });
  }
}

/** Keys that somebody has a copy of: all, and those of them that do not expire. A primary role may be on its way. */
export function countKeys(processes: readonly Process[]): { least: number; most: number } {
  const all = new Set<string>();
  const lasting = new Set<string>();
  for (const { store } of processes) {
    for (let slot = store.slots.next(0); slot < SLOTS; slot = store.slots.next(slot + 1)) {
      store.eachInSlot(slot, (ref) => {
        if (store.role(ref) >= Role.Record || store.type(ref) === ValueType.None) return false;
        const start = store.keyStart(ref);
        const key = store.keyBuffer(ref).latin1Slice(start, start + store.keyLength(ref));
        all.add(key);
        if (store.expireAt(ref) === 0) lasting.add(key);
        return false;
      });
    }
  }
  return { least: lasting.size, most: all.size };
}

function value(store: Store, ref: Ref): string {
  const start = store.valueStart(ref);
  return store.valueBuffer(ref).latin1Slice(start, start + store.valueLength(ref));
}

/** One line of what a machine is at. */
export function showMachine({ index, process }: Machine): string {
  if (process === null) return `machine ${index}: down`;
  const { node } = process;
  const view = node.state.view;
  const members = view?.members.map(({ host, leaving }) => host + (leaving ? '(leaving)' : ''));
  return (
    `${process.name}${process.isPaused ? ' paused' : ''}${process.serves ? '' : ' not serving'}` +
    ` view ${view?.id.number ?? '-'} [${members?.join(' ') ?? ''}]` +
    ` without backup ${node.keysWithoutBackup()}, own ${node.settling.keysWithoutBackup}` +
    ` settled ${node.settling.isSettled} ${JSON.stringify(node.open)}` +
    ` primaries ${process.store.countOfRole(0)} backups ${process.store.countOfRole(1)}`
  );
}

/** No call has waited longer for its reply than `waitMsMax` milliseconds. */
export function checkWaits(calls: readonly Call[], waitMsMax: number): Found | null {
  const waitOf = ({ invokedAt, returnedAt }: Call): number => returnedAt - invokedAt;
  const late = calls.find((call) => call.outcome === 'replied' && waitOf(call) > waitMsMax);
  if (late === undefined) return null;
  const what = `waited ${waitOf(late).toFixed(1)} ms, more than ${waitMsMax}: ${showCall(late)}`;
  return { what, key: late.keys[0] ?? null };
}
