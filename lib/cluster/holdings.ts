import type { FrameLog } from '../protocol/bus-frames.js';
import { f64At, u16At, u32At } from '../protocol/bytes.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import { Flag } from './entry-flags.js';
import { FrameType } from './frames.js';
import { type Key, keyOf } from './key.js';
import type { LargeSender } from './large-sender.js';
import type { Peer } from './peer.js';
import { NO_MEMBER, type SideHolding } from './verdict.js';

/** What all members have, by key. */
export type HeldKeys = Map<string, { readonly key: Key; readonly holdings: SideHolding[] }>;

/** Per entry: db u8, role u8, flags u8, version f64, version of a delete f64, primary u16, backup u16, key length u32. */
const HEADER_BYTES = 27;
const IS_FULL = 1;
const IS_RESERVED = 2;
const MAY_READ = 4;

/** What this member, number `member` of the view, has of a key. Null for what is nobody's business. */
export function holdingOf(state: ClusterState, ref: Ref, member: number): SideHolding | null {
  const { store } = state;
  const role = store.role(ref);
  const flags = store.flags(ref);
  if (role === Role.Record) return null;
  if (role === Role.Primary && (flags & Flag.Busy) !== 0) return null;
  const isReserved = role < Role.Record && store.type(ref) === ValueType.None;
  const peer = state.livePeer(store.peer(ref));
  const named = peer === null ? NO_MEMBER : state.memberIndexOf(peer.id);
  return {
    member,
    role,
    isFull: role === Role.Backup && (flags & Flag.Full) !== 0,
    mayRead: role === Role.Backup && (flags & Flag.Reads) !== 0,
    isReserved,
    version: store.version(ref),
    deletedAt: isReserved || role === Role.Tombstone ? store.expireAt(ref) : 0,
    primary: role === Role.Backup ? named : NO_MEMBER,
    backup: role === Role.Primary ? named : NO_MEMBER,
  };
}

/** HOLDINGS: batch f64, then the entries of these slots. Records are dropped on the way, their keys are told anew. */
export function appendHoldings(
  large: LargeSender,
  peer: Peer,
  batch: number,
  slots: readonly number[],
  state: ClusterState,
): void {
  const { store } = state;
  const member = state.memberIndexOf(state.self.id);
  let length = 8;
  const refs: Ref[] = [];
  for (const slot of slots) {
    if (store.countInSlot(slot) === 0) continue;
    store.eachInSlot(slot, (ref) => {
      if (store.role(ref) === Role.Record) return true;
      refs.push(ref);
      return false;
    });
  }
  const holdings: { readonly ref: Ref; readonly holding: SideHolding }[] = [];
  for (const ref of refs) {
    const holding = holdingOf(state, ref, member);
    if (holding === null) continue;
    holdings.push({ ref, holding });
    length += HEADER_BYTES + store.keyLength(ref);
  }
  large.append(peer, FrameType.Holdings, length, (log) => {
    log.f64(batch);
    for (const { ref, holding } of holdings) putHolding(log, store, ref, holding);
  });
}

function putHolding(log: FrameLog, store: Store, ref: Ref, holding: SideHolding): void {
  const start = store.keyStart(ref);
  log.u8(store.db(ref));
  log.u8(holding.role);
  log.u8(
    (holding.isFull ? IS_FULL : 0) |
      (holding.mayRead ? MAY_READ : 0) |
      (holding.isReserved ? IS_RESERVED : 0),
  );
  log.f64(holding.version);
  log.f64(holding.deletedAt);
  log.u16(holding.primary);
  log.u16(holding.backup);
  log.u32(store.keyLength(ref));
  log.bytes(store.keyBuffer(ref), start, start + store.keyLength(ref));
}

/** Adds what a member has. False when lengths do not add up. */
export function readHoldings(
  held: HeldKeys,
  member: number,
  buffer: Buffer,
  start: number,
  end: number,
): boolean {
  for (let at = start; at < end; ) {
    if (end - at < HEADER_BYTES) return false;
    const keyLength = u32At(buffer, at + 23);
    if (keyLength > end - at - HEADER_BYTES) return false;
    const keyStart = at + HEADER_BYTES;
    const key = keyOf(buffer[at]!, buffer, keyStart, keyStart + keyLength);
    const flags = buffer[at + 2]!;
    const holding: SideHolding = {
      member,
      role: buffer[at + 1]!,
      isFull: (flags & IS_FULL) !== 0,
      mayRead: (flags & MAY_READ) !== 0,
      isReserved: (flags & IS_RESERVED) !== 0,
      version: f64At(buffer, at + 3),
      deletedAt: f64At(buffer, at + 11),
      primary: u16At(buffer, at + 19),
      backup: u16At(buffer, at + 21),
    };
    const those = held.get(key.id);
    if (those === undefined) held.set(key.id, { key, holdings: [holding] });
    else those.holdings.push(holding);
    at = keyStart + keyLength;
  }
  return true;
}
