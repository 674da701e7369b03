import { edit, type Variant } from '../variant.js';

/** Claims of new keys, and what anchors say of keys. */
export const ANCHOR_VARIANTS: readonly Variant[] = [
  {
    name: 'believe-unknown',
    breaks: 'an anchor says "none" in a slot that it does not know yet',
    invariant: 'I9',
    edits: [
      edit(
        'cluster-state.js',
        'this.anchors[slot] === NOBODY && this.known[slot] === 1 && !this.flushing',
        'this.anchors[slot] === NOBODY && !this.flushing',
      ),
    ],
    profile: 'crash',
    options: { durationMs: 2000 },
    seed: 4,
  },
  {
    name: 'certain-too-early',
    breaks: 'a new anchor is certain before the last grant to who was left out has run out',
    invariant: 'I9',
    edits: [
      edit('records.js', 'return this.#state.now >= this.#state.certainFrom;', 'return true;'),
    ],
    profile: 'alone',
    options: { durationMs: 4000 },
    seed: 7,
  },
  {
    name: 'two-winners',
    breaks: 'an anchor grants the creation of a key that exists',
    invariant: 'I1',
    edits: [
      edit('grants.js', 'return { rejected: this.#primaryOf(ref, peer) };', `return 'grant';`),
    ],
    profile: 'calm',
    options: { durationMs: 1000 },
    seed: 1,
  },
  {
    name: 'claim-not-taken-back',
    breaks: 'an anchor keeps a claim that it has granted and its claimer has given up',
    invariant: 'I1',
    edits: [
      edit(
        'mirror-receiver.js',
        'if (ref === 0 || this.#store.version(ref) !== frame.version) return;',
        'if (ref === 0 || frame.version > 0) return;',
      ),
    ],
    profile: 'mixed',
    options: { delayMsMax: 15 },
    seed: 310078,
    isRare: true,
  },
];
