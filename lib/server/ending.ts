import type { Config } from '../base/config.js';
import type { Logger } from '../base/logger.js';
import type { ClusterNode } from '../cluster/node.js';
import type { ShutdownEnded, ShutdownRequest } from '../commands/services.js';
import type { Farewell } from './farewell.js';
import type { SnapshotKeeper } from './snapshot-keeper.js';

export interface EndingParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly node: ClusterNode;
  readonly snapshots: SnapshotKeeper;
  readonly farewell: Farewell;
  /** Reads the clocks. */
  beginTurn(): void;
  /** No client is left: closes everything. Called once, with the exit status. */
  closed(status: number): void;
}

/** The leaving under way, with those who asked for it and wait to be told. */
interface Leaving {
  readonly timer: NodeJS.Timeout;
  readonly ended: ShutdownEnded[];
  /** When there is still something to hand over after leave-timeout, this node ends all the same. */
  mustGo: boolean;
}

/** How a node ends: at once, or when it has handed over what it holds, if it may take so long. */
export class Ending {
  readonly #parts: EndingParts;
  #leaving: Leaving | null = null;
  /** leave-timeout has passed before everything was handed over. */
  #isOverdue = false;
  #isStopped = false;

  constructor(parts: EndingParts) {
    this.#parts = parts;
  }

  /** Clients are being sent away, and nothing begins any more. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** SHUTDOWN. */
  shutdown(request: ShutdownRequest, ended: ShutdownEnded): void {
    this.#parts.snapshots.isWanted = request.save;
    if (request.now) this.close(0);
    else this.leave(request.force);
    if (this.#leaving === null || this.#isStopped) ended(null);
    else this.#leaving.ended.push(ended);
  }

  /** Hands over what is held here, then closes. `mustGo`: see Leaving. */
  leave(mustGo: boolean): void {
    const { node, config, beginTurn } = this.#parts;
    if (node.state.view === null) {
      this.close(0);
      return;
    }
    if (this.#leaving !== null) {
      this.#leaving.mustGo ||= mustGo;
      return;
    }
    const timeoutMs = config.get('leave-timeout') * 1000;
    const timer = setTimeout(() => this.#overdue(), timeoutMs).unref();
    this.#leaving = { timer, ended: [], mustGo };
    beginTurn();
    this.#handOver();
  }

  #handOver(): void {
    const { node, snapshots, farewell, logger, beginTurn } = this.#parts;
    node.leave({
      emptied: (done) => {
        this.#tell(null);
        farewell.begin(() => {
          beginTurn();
          done();
        });
      },
      isKept: () => snapshots.isKept,
      left: () => {
        logger.info('left');
        void this.#end();
      },
    });
  }

  #overdue(): void {
    if (this.#leaving === null) return;
    if (!this.#leaving.mustGo && this.#stay('leave-timeout')) return;
    const { node, config, logger, snapshots } = this.#parts;
    logger.warn('left without handing over everything', {
      leaveTimeoutSeconds: config.get('leave-timeout'),
      keysWithoutBackup: node.keysWithoutBackup(),
    });
    // Who is alone writes what nobody has come for.
    this.#isOverdue = !(node.state.isAlone && snapshots.isKept);
    if (node.state.isAlone) node.endLeaving();
    else this.close(1);
  }

  /** Nobody stays, or nothing is held here any more. */
  async #end(): Promise<void> {
    clearTimeout(this.#leaving?.timer);
    // Nothing is served any more: what is written is what was acknowledged.
    const isWritten = await this.#parts.snapshots.write();
    this.close(isWritten && !this.#isOverdue ? 0 : 1);
  }

  /** SHUTDOWN ABORT. False when there is nothing to abort, or when it is too late for that. */
  abort(): boolean {
    return this.#stay('SHUTDOWN ABORT');
  }

  #stay(reason: string): boolean {
    const { node, logger, snapshots } = this.#parts;
    if (this.#leaving === null || this.#isStopped || !node.stay()) return false;
    logger.warn('leaving aborted', { reason });
    clearTimeout(this.#leaving.timer);
    this.#tell('ERR Errors trying to SHUTDOWN. Check logs.');
    this.#leaving = null;
    snapshots.isWanted = true;
    return true;
  }

  #tell(error: string | null): void {
    for (const ended of this.#leaving?.ended.splice(0) ?? []) ended(error);
  }

  /** Lets clients take their last replies, then closes everything. */
  close(status: number): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#tell(null);
    const { farewell } = this.#parts;
    farewell.begin(() => this.#parts.closed(status));
    farewell.hurry();
  }
}
