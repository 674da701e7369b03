import { edit, type Variant } from '../variant.js';

/** Changes of several keys, and of collections. */
export const STEP_VARIANTS: readonly Variant[] = [
  {
    name: 'half-rename',
    breaks: 'of a change of several keys the backup applies those that are set, not those deleted',
    invariant: 'I8',
    edits: [
      edit(
        'atomic-receiver.js',
        'this.#apply(peer, buffer[at + 4], frame)',
        'buffer[at + 4] === 17 && this.#apply(peer, buffer[at + 4], frame)',
      ),
    ],
    profile: 'crash',
    options: { durationMs: 2000 },
    seed: 1,
  },
  {
    name: 'half-edit',
    breaks: 'of a change of a collection the backup applies the first half',
    invariant: 'I2',
    edits: [
      edit(
        'edit-log.js',
        'ref = store.splice(ref, u32At(buffer, at), u32At(buffer, at + 4), buffer, from, to);',
        'if (at === start + EDITS_HEADER_BYTES) ref = store.splice(ref, u32At(buffer, at), u32At(buffer, at + 4), buffer, from, to);',
      ),
    ],
    profile: 'collections',
    options: { durationMs: 2000 },
    seed: 2,
  },
  {
    name: 'large-step-let-go',
    breaks: 'the keys of a change in parts are let go before its last part is written',
    invariant: 'I8',
    edits: [
      edit(
        'gathering.js',
        'this.#ran(gather, this.#entries.sentOf(gather));',
        'this.#ran(gather, null);',
      ),
    ],
    profile: 'large',
    seed: 14,
  },
  {
    name: 'watch-compares-nothing',
    breaks: 'EXEC does not look whether what was watched has changed on another node',
    invariant: 'I8',
    edits: [edit('watching.js', 'return version !== mark;', 'return version === -1;')],
    profile: 'transfers',
    options: { durationMs: 1000 },
    seed: 1,
  },
  {
    name: 'step-in-pieces',
    breaks: 'what a transaction changes goes to the backup key by key',
    invariant: 'I8',
    edits: [edit('atomic-changes.js', '> FRAME_BYTES_MAX', '> 0')],
    profile: 'transfers',
    options: { delayMsMax: 15, partBytes: 20 },
    seed: 178,
    isRare: true,
  },
  {
    name: 'step-edits-anew',
    breaks: 'a transaction sends the edits of a key that it has given another value before',
    invariant: 'I2',
    edits: [edit('changed-keys.js', 'if (!isPart)', 'if (false)')],
    profile: 'transfers',
    seed: 1,
  },
  {
    name: 'backups-apart',
    breaks:
      'a change of several keys goes to the backup of the first of them, wherever those of the others are',
    invariant: '0019',
    edits: [
      edit(
        'together.js',
        'return backup !== null && this.#store.peer(ref) === backup.index;',
        'return backup !== null;',
      ),
    ],
    profile: 'transfers',
    options: { durationMs: 2000 },
    seed: 1,
  },
  {
    name: 'parted-too-soon',
    breaks: 'the keys of a change go to other backups before theirs has it',
    invariant: '0019',
    edits: [
      edit(
        'moves.js',
        'return acked < from.atomicOffset && this.#store.changeOffset(ref) > acked;',
        'return false;',
      ),
    ],
    profile: 'transfers',
    options: { delayMsMax: 15, nodes: 5 },
    seed: 114,
    isRare: true,
  },
  {
    name: 'member-passes-by',
    breaks:
      "a member's command runs at once on a key that a step holds, or that is in the midst of a change-over",
    invariant: 'I8',
    edits: [
      edit(
        'routing.js',
        '(store.flags(ref) & SLOW_FOR_MEMBERS) === 0 && this.#isReady(ref, traits)',
        'this.#isReady(ref, traits)',
      ),
    ],
    profile: 'large',
    seed: 1,
  },
];
