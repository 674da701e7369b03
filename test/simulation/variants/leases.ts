import { edit, type Variant } from '../variant.js';

/** Who may serve, read and promote, and for how long. */
export const LEASE_VARIANTS: readonly Variant[] = [
  {
    name: 'no-fence',
    breaks: 'a node serves without leases, as after a pause',
    invariant: 'I6',
    edits: [
      edit('membership/serving.js', 'until = Math.min(until, leases.longHeld(id));', ''),
      edit(
        'membership/membership.js',
        'return this.#state.saidGoodbye ? 0 : this.#state.leases.shortHeld(id);',
        'return Number.POSITIVE_INFINITY;',
      ),
    ],
    profile: 'pause',
    options: { durationMs: 4000 },
    seed: 2,
  },
  {
    name: 'no-short-lease',
    breaks: 'a primary reads from memory without the lease of its backup',
    invariant: 'I1',
    edits: [
      edit(
        'routing.js',
        '!backup.stream.isFull && state.now < backup.readsUntil;',
        '!backup.stream.isFull;',
      ),
    ],
    profile: 'alone',
    options: { durationMs: 10000 },
    seed: 16,
  },
  {
    name: 'lease-from-ping',
    breaks: "a peer's ping renews the lease that only its pong grants",
    invariant: 'I1',
    edits: [
      edit(
        'membership/requests.js',
        'peer.calledAt = now;',
        'peer.calledAt = now; leases.hold(from, now);',
      ),
    ],
    profile: 'links',
    seed: 22,
    isRare: true,
  },
  {
    name: 'lease-from-pong',
    breaks: 'a lease is counted from the receipt of its pong',
    invariant: 'I1',
    edits: [
      edit(
        'membership/peers.js',
        'this.#leases.hold(message.from, sentAt);',
        'this.#leases.hold(message.from, now);',
      ),
    ],
    profile: 'late',
    options: { nodeTimeoutMs: 500, durationMs: 4000 },
    seed: 1,
  },
  {
    name: 'early-promotion',
    breaks: 'a backup promotes itself before the last lease it has granted has run out',
    invariant: 'I1',
    edits: [
      edit(
        'failover.js',
        'return old === null || this.#state.grantEnds(old) <= this.#state.now;',
        'return true;',
      ),
    ],
    profile: 'links',
    options: { durationMs: 4000 },
    seed: 3,
  },
  {
    name: 'read-without-grant',
    breaks: 'a backup answers reads without having been granted that',
    invariant: 'I4',
    edits: [
      edit(
        'routing.js',
        '(store.flags(ref) & Flag.Reads) === 0 || state.flushing',
        'state.flushing',
      ),
    ],
    profile: 'roam',
    options: { durationMs: 4000 },
    seed: 1,
  },
  {
    name: 'read-after-lease',
    breaks: "a backup goes on reading when its primary's lease has run out",
    invariant: 'I4',
    edits: [
      edit(
        'routing.js',
        'primary.isApplying || state.now >= primary.readsUntil',
        'primary.isApplying',
      ),
    ],
    profile: 'alone',
    options: { durationMs: 4000 },
    seed: 4,
  },
  {
    name: 'sleep-keeps-leases',
    breaks: 'a late tick leaves the leases as they are',
    invariant: 'I6',
    edits: [edit('membership/membership.js', 'leases.voidHeld(); peers.slept(now);', '')],
    profile: 'stop',
    options: { durationMs: 4000 },
    seed: 1,
  },
];
