import { edit, type Variant } from '../variant.js';

/** Deletes, expiries, FLUSHALL, and merges of sides. */
export const DELETE_VARIANTS: readonly Variant[] = [
  {
    name: 'no-tombstones',
    breaks: 'a deleted key leaves nothing behind',
    invariant: 'I7',
    edits: [
      edit('cluster-state.js', 'if (view.members.length > 1) this.keepsTombstones = true;', ''),
    ],
    profile: 'crash',
    options: { durationMs: 2000 },
    seed: 1,
  },
  {
    name: 'early-reaping',
    breaks: 'tombstones are dropped with the next tick',
    invariant: 'I7',
    edits: [
      edit(
        'tombstone-keeping.js',
        'if (this.#state.isOpenDelete(ref)) return false;',
        'return true;',
      ),
    ],
    profile: 'slow',
    options: { durationMs: 3000 },
    seed: 9,
  },
  {
    name: 'copy-without-expiry',
    breaks: 'the expiry is lost when a key is mirrored anew',
    invariant: 'I7',
    edits: [
      edit(
        'mirror-sender.js',
        'store.expireAt(ref), withValue',
        'type === FrameType.Copy ? 0 : store.expireAt(ref), withValue',
      ),
    ],
    profile: 'crash',
    options: { durationMs: 3000 },
    seed: 1,
  },
  {
    name: 'flush-forgets-transit',
    breaks: 'what was on its way when all was flushed is taken after it',
    invariant: 'I7',
    edits: [
      edit(
        'mirror-receiver.js',
        'if (frame.version < (this.#state.floors[frame.db] ?? 0)) return true;',
        '',
      ),
    ],
    profile: 'keyspace',
    options: { durationMs: 5000 },
    seed: 2,
  },
  {
    name: 'merge-forgets-deletes',
    breaks: 'where two sides meet an older value beats a newer delete',
    invariant: 'I7',
    edits: [
      edit(
        'verdict.js',
        'if (copies.length === 0 || deleted > newest)',
        'if (copies.length === 0)',
      ),
    ],
    profile: 'partition',
    options: { splits: 1 },
    seed: 1,
  },
  {
    name: 'merge-awaits-nothing',
    breaks: 'after a merge a backup with an older copy is taken for one that has the newest',
    invariant: 'I2',
    edits: [
      edit(
        'verdict.js',
        'const lead = awaiting === undefined ? Action.Lead : Action.LeadAlone;',
        'const lead = Action.Lead;',
      ),
    ],
    profile: 'collections-split',
    options: { splits: 2 },
    seed: 3,
  },
  {
    name: 'snapshot-of-anybody',
    breaks: 'a part of a snapshot is loaded, whatever the cluster has done since',
    invariant: '0031',
    edits: [
      edit(
        'snapshot-offers.js',
        'if (reason !== null) return aside(reason);',
        "if (reason !== null) return { kind: 'primaries' };",
      ),
    ],
    profile: 'operations',
    options: { durationMs: 10_000 },
    seed: 11,
    isRare: true,
  },
  {
    name: 'forgotten-may-merge',
    breaks: 'a side merges with members that it has forgotten, and whose deletes it has not kept',
    invariant: '0030',
    edits: [
      edit('membership/missing.js', 'if (this.#forgotten.size === 0) return true;', 'return true;'),
    ],
    profile: 'forget-split',
    options: {
      splits: 1,
      splitLasts: [12, 20],
      kinds: 'r',
      keys: 300,
      clients: 12,
      thinkMsMax: 200,
    },
    seed: 10,
  },
];
