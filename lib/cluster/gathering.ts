import type { Ref } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { Operation } from './operation.js';
import type { HeldKeys, Routing } from './routing.js';
import { errorReply } from './runner.js';

/** Commands on several keys that run as one step on one node. */
export class Gathering implements HeldKeys {
  readonly #state: ClusterState;
  readonly #routing: Routing;

  constructor(state: ClusterState, routing: Routing) {
    this.#state = state;
    this.#routing = routing;
    routing.held = this;
  }

  run(operation: Operation): void {
    if (this.#state.isAlone && !this.#state.isChanging) this.#routing.runHere(operation);
    else {
      operation.sink.complete(
        operation.token,
        errorReply('ERR this command on several keys is not supported by more than one node yet'),
      );
    }
  }

  enqueue(): boolean {
    return false;
  }

  becamePrimary(_ref: Ref): void {}
}
