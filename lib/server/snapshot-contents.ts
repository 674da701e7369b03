import { Flag } from '../cluster/entry-flags.js';
import type { Incarnation } from '../cluster/member.js';
import type { ClusterNode } from '../cluster/node.js';
import { setOf } from '../cluster/snapshot-offers.js';
import { payloadOf } from '../commands/dumps.js';
import type { SnapshotRecord } from '../protocol/snapshot-blocks.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import type { SnapshotEnd, SnapshotHeader } from './snapshot-file.js';

/** What the snapshot of a node that stops begins with; null where it owes none. `at`: Unix milliseconds. */
export function snapshotHeader(node: ClusterNode, at: number): SnapshotHeader | null {
  const view = node.finalView ?? (node.state.isAlone ? node.state.view : null);
  if (view === null || node.state.view === null) return null;
  const { id: part } = node.membership.self;
  const parts = view.members.map(({ id }) => id);
  return { set: setOf(view), seed: view.seed, number: view.id.number, at, part, parts };
}

/**
 * Who of the others has stopped, or can only stop, and who is dead, or serves nothing any more without those who have left
 * it out, as far as this node knows by now: none of these can have gone on. And whom this node's side has gone on without.
 */
export function fatesOf(node: ClusterNode, others: readonly Incarnation[]): SnapshotEnd {
  const { membership, state } = node;
  const proof = (id: Incarnation) => membership.proofOf(id);
  const hasStopped = (id: Incarnation): boolean =>
    proof(id) === 'goodbye' || (proof(id) === undefined && node.canOnlyStop(id));
  const isPowerless = (id: Incarnation): boolean =>
    state.config.partitionPolicy === 'majority' &&
    state.view !== null &&
    state.memberIndexOf(id) < 0;
  return {
    stopped: others.filter(hasStopped),
    dead: others.filter((id) => !hasStopped(id) && (proof(id) !== undefined || isPowerless(id))),
    leftOut: others.filter((id) => node.hasLeftOut(id)),
  };
}

/** Every copy that could be the only one: those that were primary first. */
export function* snapshotRecords(node: ClusterNode): Generator<SnapshotRecord> {
  const { store } = node.state;
  for (const role of [Role.Primary, Role.Backup] as const) {
    for (let i = 0; i < store.size; i++) {
      const ref = store.entryAt(i);
      if (store.role(ref) === role && isKept(store, ref, role)) yield recordOf(node, ref);
    }
  }
}

function isKept(store: Store, ref: Ref, role: Role): boolean {
  if (store.type(ref) === ValueType.None) return false;
  const flags = store.flags(ref);
  return role === Role.Primary ? (flags & Flag.Busy) === 0 : (flags & Flag.Full) !== 0;
}

function recordOf(node: ClusterNode, ref: Ref): SnapshotRecord {
  const { store } = node.state;
  const start = store.keyStart(ref);
  return {
    isPrimary: store.role(ref) === Role.Primary,
    db: store.db(ref),
    expireAt: store.expireAt(ref),
    key: Buffer.from(store.keyBuffer(ref).subarray(start, start + store.keyLength(ref))),
    payload: payloadOf(node, ref),
  };
}
