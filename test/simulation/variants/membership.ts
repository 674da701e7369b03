import { edit, type Variant } from '../variant.js';

/** Views, proofs of death, and who is left out. */
export const MEMBERSHIP_VARIANTS: readonly Variant[] = [
  {
    name: 'reset-is-death',
    breaks: 'a reset connection is taken for a proof of death',
    invariant: 'I1',
    edits: [
      edit(
        'membership/membership.js',
        'peers.linkClosed(peer, link, end, now);',
        `const isReset = link === peer.link && end === 'reset';
        peers.linkClosed(peer, link, end, now);
        if (isReset) this.#died(peer.member.id, 'refused');`,
      ),
    ],
    profile: 'resets',
    options: { durationMs: 4000 },
    seed: 1,
  },
  {
    name: 'excluded-frames',
    breaks: 'frames of a member that was left out are accepted',
    invariant: 'I6',
    edits: [
      edit('streams.js', 'this.#dropLink(peer); peer.stream.closed = true;', ''),
      edit(
        'streams.js',
        'peer === undefined || !peer.isLive || from > this.#state.self.id',
        'peer === undefined || from > this.#state.self.id',
      ),
      edit(
        'cluster-state.js',
        'this.leaveOut(peer); this.#byId.delete(peer.id);',
        'this.leaveOut(peer);',
      ),
    ],
    profile: 'alone',
    options: { faults: { partition: 1 }, patienceMs: 0, readShare: 0.2, durationMs: 4000 },
    seed: 4,
  },
  {
    name: 'restart-keeps-place',
    breaks: 'a node that begins anew in its place is taken for what it was in every entry',
    invariant: 'I2',
    edits: [
      edit(
        'cluster-state.js',
        'let index = this.peers.indexOf(null, 1);',
        `let index = this.peers.findIndex((one, at) => at > 0 && one?.member.host === member.host);
        if (index < 0) index = this.peers.indexOf(null, 1);`,
      ),
    ],
    profile: 'links',
    seed: 71,
    isRare: true,
  },
  {
    name: 'base-is-installed',
    breaks: 'a coordinator starts from the view that is installed, not from the one prepared',
    invariant: 'I1',
    edits: [
      edit(
        'membership/coordination.js',
        'const base = participant.prepared; this.#coordinates = false;',
        'const base = participant.installed; this.#coordinates = false;',
      ),
      edit('membership/view-change.js', 'if (highest === null) return false;', 'return false;'),
    ],
    profile: 'links',
    options: { nodeTimeoutMs: 500, faultEveryMs: 300, faults: { cut: 1 }, durationMs: 4000 },
    seed: 17,
  },
  {
    name: 'word-is-death',
    breaks: "an operator's word that a member is gone is taken for a proof of death",
    invariant: '0030',
    edits: [
      edit(
        'membership/membership.js',
        'const outcome = this.#forgetting.forget(id, certain, this.isDown(now), now);',
        `const outcome = this.#forgetting.forget(id, certain, this.isDown(now), now);
        if (outcome === 'alive' || outcome === 'silent') this.#died(id, 'refused');`,
      ),
    ],
    profile: 'operations',
    options: { faults: { forget: 1, pause: 1 }, faultEveryMs: 300, durationMs: 4000 },
    seed: 1,
  },
  {
    name: 'load-too-soon',
    breaks: 'a part of a snapshot is loaded before the others have decided on theirs',
    invariant: '0031',
    edits: [
      edit(
        'snapshot-offers.js',
        '(isKnown && areAll(SnapshotPhase.Agreed))',
        'areAll(SnapshotPhase.Waiting)',
      ),
    ],
    profile: 'operations',
    options: { faults: { 'stop-all': 1, join: 1 }, durationMs: 5000 },
    seed: 4,
  },
  {
    name: 'one-round-stop',
    breaks: 'who is quiet as all stop takes it for what all know of all',
    invariant: '0031',
    edits: [edit('quiescence.js', "if (!this.#isToldByAll('quietView')) return isNew;", '')],
    profile: 'operations',
    options: { faults: { 'stop-and-kill': 1 }, delayMsMax: 15, pairShare: 0.6, durationMs: 8000 },
    seed: 41,
  },
  {
    name: 'part-noted-late',
    breaks: 'a part of a snapshot is waited for only if a command came while its node was there',
    invariant: '0031',
    edits: [edit('node.js', 'this.snapshots.heard(status, isMember);', '')],
    profile: 'operations',
    options: { faults: { 'stop-all': 1, join: 1 }, durationMs: 5000 },
    seed: 28,
    isRare: true,
  },
  {
    name: 'part-not-told-on',
    breaks: 'who joins after the node with the only part has died does not wait for it',
    invariant: '0031',
    edits: [
      edit(
        'snapshot-offers.js',
        'for (const { part, remainsMs, phase } of awaited ?? [])',
        'for (const { part, remainsMs, phase } of [])',
      ),
    ],
    profile: 'operations',
    seed: 102,
    isRare: true,
  },
  {
    name: 'part-awaits-itself',
    breaks: 'a node waits for its own part of a snapshot, by what others say',
    invariant: '0031',
    edits: [edit('snapshot-offers.js', 'part !== this.own?.part &&', '')],
    profile: 'operations',
    seed: 6,
  },
  {
    name: 'stops-at-once',
    breaks: 'all stop, and nobody waits for what is under way',
    invariant: '0031',
    edits: [
      edit(
        'quiescence.js',
        'if (this.#state.now >= this.#waitsUntil) return true;',
        'return true;',
      ),
    ],
    profile: 'operations',
    options: { faults: { 'stop-and-kill': 1 }, delayMsMax: 15, pairShare: 0.6, durationMs: 8000 },
    seed: 21,
  },
  {
    name: 'waits-for-the-ended',
    breaks: 'a node that has said goodbye waits for others that have ended since',
    invariant: '0031',
    edits: [
      edit(
        'membership/goodbye.js',
        '(needNotKnow || peer.knowsGoodbye) && (peer.isRefused || peer.isLost(now))',
        'false',
      ),
    ],
    profile: 'drain',
    seed: 48,
  },
  {
    name: 'side-gives-up',
    breaks: 'a side that is bound to a merge takes itself for left out when the other side goes on',
    invariant: '0017',
    edits: [
      edit(
        'membership/view-change.js',
        'const isVoid = side !== null && plan.base.members.some(({ id }) => surveyed.get(id)?.passedOver === true);',
        'const isVoid = false;',
      ),
    ],
    profile: 'three-sides',
    seed: 310016,
    isRare: true,
  },
];
