import type { Profile } from './profiles.js';

/** A change of one built module. Space between words is not compared; the text must be there exactly once. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A deliberately broken cluster. */
export interface Variant {
  readonly name: string;
  /** What it does wrong. */
  readonly breaks: string;
  /** The invariant of the design that this is about. */
  readonly invariant: string;
  readonly edits: readonly Edit[];
  readonly profile: string;
  readonly options?: Partial<Profile>;
  /** The first seed of the profile that found it, when it was last looked for from seed 1. */
  readonly seed: number;
}

/** The text with the edits made; throws where one does not fit exactly once. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let changed = text;
  for (const { file, find, replace } of edits) {
    const words = find.trim().split(/\s+/);
    const pattern = new RegExp(words.map(escapeRegExp).join('\\s+'), 'g');
    const count = changed.match(pattern)?.length ?? 0;
    if (count !== 1) throw new Error(`${file} contains ${count} times, not once: ${find}`);
    changed = changed.replace(pattern, () => replace);
  }
  return changed;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

const CLUSTER = 'lib/cluster';

function edit(file: string, find: string, replace: string): Edit {
  return { file: `${CLUSTER}/${file}`, find, replace };
}

export const VARIANTS: readonly Variant[] = [
  {
    name: 'reply-before-ack',
    breaks: 'replies are sent before the backup has acked',
    invariant: 'I2',
    edits: [edit('keyspace.js', 'return this.#waits.count;', 'this.#waits.clear(); return 0;')],
    profile: 'crash',
    seed: 1,
  },
  {
    name: 'ack-before-apply',
    breaks: 'a backup acks a change, and applies it with its next tick',
    invariant: 'I2',
    edits: [
      edit(
        'inbox.js',
        'handle(peer, type, buffer, start, end) { const to = this.#to;',
        `handle(peer, type, buffer, start, end) { const to = this.#to;
        if (type === FrameType.Set) {
          const bytes = Buffer.from(buffer.subarray(start, end));
          to.mirror.late ??= [];
          to.mirror.late.push(() => to.mirror.receive(peer, type, bytes, 0, bytes.length));
          return true;
        }`,
      ),
      edit(
        'node.js',
        'this.#parts.streams.tick();',
        'for (const apply of this.#parts.mirrorReceiver.late?.splice(0) ?? []) apply(); this.#parts.streams.tick();',
      ),
    ],
    profile: 'crash',
    seed: 1,
  },
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
    seed: 1,
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
    seed: 5,
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
    seed: 3,
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
    seed: 2,
  },
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
    seed: 3,
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
    seed: 1,
  },
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
    seed: 1,
  },
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
    options: { faults: { partition: 1 }, patienceMs: 0, readShare: 0.2 },
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
    seed: 23,
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
    seed: 122,
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
    seed: 2,
  },
  {
    name: 'two-winners',
    breaks: 'an anchor grants the creation of a key that exists',
    invariant: 'I1',
    edits: [
      edit('claims.js', 'return { rejected: this.#primaryOf(ref, peer) };', `return 'grant';`),
    ],
    profile: 'calm',
    seed: 1,
  },
  {
    name: 'blind-retry',
    breaks: 'a forwarded write whose outcome is unknown is sent again',
    invariant: 'I8',
    edits: [
      edit(
        'forwarding.js',
        'return task.operation.traits.write && peer.stream.wasSent(offset);',
        'return false;',
      ),
    ],
    profile: 'crash',
    seed: 3,
  },
  {
    name: 'no-tombstones',
    breaks: 'a deleted key leaves nothing behind',
    invariant: 'I7',
    edits: [
      edit('cluster-state.js', 'if (view.members.length > 1) this.keepsTombstones = true;', ''),
    ],
    profile: 'crash',
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
    seed: 1,
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
    seed: 1,
  },
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
    seed: 2,
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
    seed: 2,
  },
  {
    name: 'sleep-keeps-leases',
    breaks: 'a late tick leaves the leases as they are',
    invariant: 'I6',
    edits: [edit('membership/membership.js', 'leases.voidHeld(); peers.slept(now);', '')],
    profile: 'stop',
    seed: 1,
  },
  {
    name: 'certain-too-early',
    breaks: 'a new anchor is certain before the last grant to who was left out has run out',
    invariant: 'I9',
    edits: [
      edit('records.js', 'return this.#state.now >= this.#state.certainFrom;', 'return true;'),
    ],
    profile: 'alone',
    seed: 1,
  },
  {
    name: 'read-unacked',
    breaks: 'a read does not wait for the ack of the change that it shows',
    invariant: 'I4',
    edits: [
      edit(
        'changes.js',
        'if (store.role(ref) !== Role.Primary) return; if ((store.flags(ref) & Flag.Moving) !== 0) return this.#awaitMovingChange(ref);',
        'return;',
      ),
    ],
    profile: 'slow',
    seed: 7,
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
    seed: 1,
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
    seed: 3,
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
    seed: 3,
  },
  {
    name: 'zones-ignored',
    breaks: 'the backup of a key is the first ranked member, in whatever zone',
    invariant: 'I3',
    edits: [edit('placement.js', 'this.#hasZones = zones.count > 1;', 'this.#hasZones = false;')],
    profile: 'zones',
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
    name: 'edit-before-copy',
    breaks: 'a change of a collection goes as an edit to one that was sent no copy yet',
    invariant: 'I2',
    edits: [edit('changes.js', 'const hasCopy = move.copyOffset !== 0;', 'const hasCopy = true;')],
    profile: 'collections-roam',
    options: { partBytes: 200_000, faults: { crash: 1 }, faultEveryMs: 500, spares: 1 },
    seed: 11,
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
    seed: 1,
  },
  {
    name: 'watch-compares-nothing',
    breaks: 'EXEC does not look whether what was watched has changed on another node',
    invariant: 'I8',
    edits: [
      edit(
        'watching.js',
        "return typeof mark === 'number' ? version !== mark : version !== 0 || check.hasChanged;",
        'return version === -1;',
      ),
    ],
    profile: 'transfers',
    seed: 1,
  },
  {
    name: 'step-in-pieces',
    breaks: 'what a transaction changes goes to the backup key by key',
    invariant: 'I8',
    edits: [edit('atomic-changes.js', '> FRAME_BYTES_MAX', '> 0')],
    profile: 'transfers',
    options: { delayMsMax: 15, partBytes: 20 },
    seed: 11,
  },
];
