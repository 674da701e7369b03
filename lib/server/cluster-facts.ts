import type { ClusterEvent } from '../cluster/cluster-events.js';
import { FrameType } from '../cluster/frames.js';
import type { Incarnation, Member } from '../cluster/member.js';
import type { ForgetOutcome } from '../cluster/membership/forgetting.js';
import type { ClusterNode } from '../cluster/node.js';
import type { PeekedValue } from '../cluster/peeking.js';
import { TOMBSTONES_MAX } from '../cluster/tombstone-keeping.js';
import type {
  ClusterFacts,
  KeyLocation,
  SharedCopies,
  SlotRange,
  TandisFacts,
} from '../commands/services.js';
import { keySlot, SLOTS } from '../protocol/crc16.js';
import { Role, type Store } from '../store/store.js';

/** Names of frame types in INFO: "Copy" is "copy". */
const FRAME_NAMES = Object.entries(FrameType).map(
  ([name, type]) => [name.toLowerCase(), type] as const,
);

const NOT_ASKED = 'TRYAGAIN the node is in no view, or too many questions are open';

/** The cluster as INFO and CLUSTER show it. */
export class NodeClusterFacts implements ClusterFacts {
  readonly #node: ClusterNode;
  readonly #store: Store;

  constructor(node: ClusterNode, store: Store) {
    this.#node = node;
    this.#store = store;
  }

  get self(): Member {
    return this.#node.membership.self;
  }

  get viewId(): ClusterFacts['viewId'] {
    return this.#node.state.view?.id ?? null;
  }

  get members(): readonly Member[] {
    return this.#node.state.view?.members ?? [];
  }

  get missingMembers(): readonly Member[] {
    return this.#node.membership.missingMembers();
  }

  forget(id: Incarnation, certain: boolean): ForgetOutcome {
    return this.#node.membership.forget(id, certain, this.#node.state.now);
  }

  get loading(): boolean {
    return this.#node.router.refusal() !== null;
  }

  get serving(): boolean {
    return this.#node.state.isServing && !this.loading;
  }

  slotRanges(): readonly SlotRange[] {
    const { placement, view } = this.#node.state;
    if (placement === null || view === null) return [];
    const ranges: SlotRange[] = [];
    let first = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      const anchor = placement.anchor(slot);
      const backup = placement.backupFor(slot, anchor);
      const next = slot + 1;
      const goesOn =
        next < SLOTS &&
        placement.anchor(next) === anchor &&
        placement.backupFor(next, anchor) === backup;
      if (goesOn) continue;
      ranges.push({
        first,
        last: slot,
        anchor: view.members[anchor]!,
        backup: view.members[backup] ?? null,
      });
      first = next;
    }
    return ranges;
  }

  keysInSlot(slot: number): number {
    let keys = 0;
    this.#store.eachInSlot(slot, (ref) => {
      if (this.#store.role(ref) === Role.Primary && this.#store.db(ref) === 0) keys += 1;
      return false;
    });
    return keys;
  }

  locate(db: number, key: Buffer, answer: (location: KeyLocation | string) => void): void {
    const { state, router } = this.#node;
    const slot = keySlot(key, 0, key.length);
    const member = (id: Incarnation | null | undefined): Member | null =>
      this.members.find((one) => one.id === id) ?? null;
    const asked = router.locating.locate(db, key, (copies) => {
      const anchor = state.peer(state.anchors[slot]!)?.member ?? this.self;
      answer({
        slot,
        anchor,
        primary: member(copies?.primary),
        backup: member(copies?.backup),
        version: copies?.version ?? 0,
        expireAt: copies?.expireAt ?? 0,
        settled: copies?.settled ?? true,
      });
    });
    if (!asked) answer(NOT_ASKED);
  }

  peek(db: number, key: Buffer, answer: (value: PeekedValue | string | null) => void): void {
    if (!this.#node.router.peeking.peek(db, key, answer)) answer(NOT_ASKED);
  }

  events(count: number): readonly ClusterEvent[] {
    return this.#node.events.last(count);
  }

  copies(): ReadonlyMap<string, SharedCopies> {
    const store = this.#store;
    return new Map(
      this.#node.state.livePeers().map(({ id, index }) => [
        id,
        {
          primaries: store.countWithPeer(Role.Primary, index),
          backups: store.countWithPeer(Role.Backup, index),
        },
      ]),
    );
  }

  tandis(): TandisFacts {
    const { statistics } = this.#node.state;
    return {
      settled: this.#node.isSettled,
      primaries: this.#store.countOfRole(Role.Primary),
      backups: this.#store.countOfRole(Role.Backup),
      keysWithoutBackup: this.#node.keysWithoutBackup(),
      lookups: statistics.lookups,
      forwards: statistics.forwards,
      takeOvers: statistics.takeOvers,
      promotions: statistics.promotions,
      tombstones: this.#store.countOfRole(Role.Tombstone),
      tombstonesMax: TOMBSTONES_MAX,
      membersMissing: this.#node.membership.membersMissing(),
      deletesForgotten: !this.#node.mayMerge(),
      mergingSlots: this.#node.state.mergingSlots,
      mergeDropped: statistics.mergeDropped,
      eventsRecorded: this.#node.events.lastId,
      eventsKept: this.#node.events.size,
      messagesDropped: statistics.messagesDropped,
      awaitedKeys: this.#node.router.keyWaits.awaited,
      waitHints: this.#node.router.keyWaits.hints,
      waitHintsRefused: statistics.hintsRefused,
      workOpen: new Map(Object.entries(this.#node.open)),
      limitsReached: statistics.limits.all,
      locations: this.#node.locations,
      headroomBytes: this.#node.headroomBytes,
      assemblyBytes: statistics.assemblyBytes,
      busBacklogBytes: this.#node.busBacklogBytes,
      busOutputBytes: statistics.busBytesSent,
      busInputBytes: statistics.busBytesReceived,
      busMessages: new Map(
        FRAME_NAMES.map(([name, type]) => [name, statistics.framesSent[type] ?? 0]),
      ),
    };
  }
}
