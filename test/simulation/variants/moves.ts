import { edit, type Variant } from '../variant.js';

/** Change-overs of backups, swaps of roles, zones. */
export const MOVE_VARIANTS: readonly Variant[] = [
  {
    name: 'done-as-difference',
    breaks: 'a view change settles only the slots whose members are others than before',
    invariant: 'I5',
    edits: [
      edit(
        'settling.js',
        'installed() {',
        `installed() {
        const before = this.before;
        this.before = Array.from({ length: SLOTS }, (_, slot) => this.#state.rankedBackup(slot));
        this.isSame = (slot) => before !== undefined && before[slot] === this.before[slot];`,
      ),
      edit(
        'settling.js',
        '#visit(ref) {',
        '#visit(ref) { if (this.isSame(this.#store.slot(ref))) return false;',
      ),
    ],
    profile: 'joins',
    options: { durationMs: 4000 },
    seed: 2,
  },
  {
    name: 'early-swap',
    breaks: 'the primary role is given away before the grant of the old backup has ended',
    invariant: 'I1',
    edits: [
      edit(
        'moves.js',
        'if (move.state === MoveState.Copy && move.from !== null) return this.#drop(move, ref);',
        'if (move.state === MoveState.Copy && move.from !== null) this.#drop(move, ref);',
      ),
      edit(
        'moves.js',
        'this.#step(move, 1 + Number(from !== null) + Number(isThird))',
        'this.#step(move, 1 + Number(isThird))',
      ),
      edit(
        'moves.js',
        'from.stream.awaitAck(this.#mirror.appendNotice(from, FrameType.Revoke, ref), this, step);',
        'this.#mirror.appendNotice(from, FrameType.Revoke, ref);',
      ),
    ],
    profile: 'roam',
    options: { durationMs: 4000 },
    seed: 5,
  },
  {
    name: 'zones-ignored',
    breaks: 'the backup of a key is the first ranked member, in whatever zone',
    invariant: 'I3',
    edits: [edit('placement.js', 'this.#hasZones = zones.count > 1;', 'this.#hasZones = false;')],
    profile: 'zones',
    options: { durationMs: 1000 },
    seed: 1,
  },
  {
    name: 'copy-stays-in-zone',
    breaks: 'a take-over that cannot swap leaves the backup where it has brought it',
    invariant: 'I3',
    edits: [
      edit(
        'moves.js',
        'else if (ranked !== null) this.startIfRoom(ref, ranked);',
        'else if (ranked !== null) {}',
      ),
    ],
    profile: 'zones',
    options: { partBytes: 60, kinds: 'rH', largeShare: 1, stickyShare: 0.2, takeOverAfter: 1 },
    seed: 2,
  },
  {
    name: 'edit-misses-newcomer',
    breaks: 'while the backup of a collection moves, its changes go to the old backup alone',
    invariant: 'I2',
    edits: [
      edit(
        'changes.js',
        'move.toOffset = this.#mirror.append(move.to, sent, ref, version, withValue, 0);',
        'if (type !== FrameType.Edit) move.toOffset = this.#mirror.append(move.to, sent, ref, version, withValue, 0);',
      ),
    ],
    profile: 'collections-roam',
    options: { durationMs: 2000 },
    seed: 1,
  },
  {
    name: 'edit-before-copy',
    breaks: 'a change of a collection goes as an edit to one that was sent no copy yet',
    invariant: 'I2',
    edits: [edit('changes.js', 'const hasCopy = move.copyOffset !== 0;', 'const hasCopy = true;')],
    profile: 'collections-roam',
    options: { partBytes: 200_000, faults: { crash: 1 }, faultEveryMs: 500, spares: 1 },
    seed: 363,
    isRare: true,
  },
];
