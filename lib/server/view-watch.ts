import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { View } from '../cluster/member.js';
import type { ClusterNode } from '../cluster/node.js';
import { CLUSTER_DOWN, OUTCOME_UNKNOWN } from '../cluster/runner.js';
import type { Tracking } from '../commands/tracking.js';
import { showBusAddress } from './bus-addresses.js';
import type { ClientConnection } from './client-connection.js';
import type { ClusterConfigFile } from './cluster-config-file.js';
import type { JoinResolver } from './join-resolver.js';
import { LonelyWatch } from './lonely-watch.js';

export interface ViewWatchParts {
  readonly node: ClusterNode;
  readonly clients: { all(): Iterable<ClientConnection> };
  readonly tracking: Tracking;
  /** Where the members are written that were seen; null for nowhere. */
  readonly file: ClusterConfigFile | null;
  readonly join: JoinResolver;
  /** Whether the node was told of others. */
  readonly isTold: boolean;
  readonly nodeTimeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Looks with every tick what has become of the view, and does what the host has to do then. */
export class ViewWatch {
  readonly #parts: ViewWatchParts;
  readonly #lonely: LonelyWatch;
  /** The view that was installed at the last tick. */
  #shown: View | null = null;
  /** Whether too few members were reached at the last tick. */
  #wasDown = false;

  constructor(parts: ViewWatchParts) {
    this.#parts = parts;
    this.#lonely = new LonelyWatch(parts.nodeTimeoutMs);
  }

  tick(): void {
    const { view, isDown } = this.#parts.node.state;
    if (isDown && !this.#wasDown) this.#wentDown();
    this.#wasDown = isDown;
    if (view === this.#shown) {
      this.#warnWhenAlone();
      return;
    }
    this.#shown = view;
    if (view !== null) this.#changed(view);
  }

  #changed({ id: { number }, members }: View): void {
    const { logger, file, node, clock } = this.#parts;
    logger.debug('members', { number, members: members.map(showBusAddress) });
    const self = node.state.self.id;
    if (members.length > 1) file?.write(members.filter(({ id }) => id !== self));
    this.#lonely.viewChanged(members.length, clock.monotonicMs());
  }

  /** No ack and no reply comes from the members that are cut off, and no view change ends the wait for them. */
  #wentDown(): void {
    const { logger, node, tracking, clients } = this.#parts;
    logger.warn('too few members are reached to serve with', {
      members: node.state.view?.members.length ?? 0,
    });
    // The others may go on changing keys without a word to this node.
    tracking.invalidateAll();
    for (const client of clients.all()) {
      // Who waits, and tries nothing, knows that nothing was run.
      if (client.blocked?.isTrying === false) client.blocked.unblock(CLUSTER_DOWN);
      client.failWaiting(OUTCOME_UNKNOWN);
    }
  }

  #warnWhenAlone(): void {
    const { isTold, clock, logger, join } = this.#parts;
    if (!isTold || !this.#lonely.isOverdue(clock.monotonicMs())) return;
    logger.warn('SERVING ALONE: none of the others was reached', {
      join: join.current.addresses.map(showBusAddress),
    });
  }
}
