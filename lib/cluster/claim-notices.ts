import type { ClusterState } from './cluster-state.js';
import { appendKeyFrame } from './frames.js';
import type { Key } from './key.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

const NOTHING = Buffer.alloc(0);

/** What creators and anchors say to each other of one claim, by its key and version. */
export class ClaimNotices {
  readonly #state: ClusterState;
  readonly #streams: Streams;

  constructor(state: ClusterState, streams: Streams) {
    this.#state = state;
    this.#streams = streams;
  }

  send(peer: Peer, type: number, key: Key, version: number, text: string): void {
    const value = text === '' ? NOTHING : Buffer.from(text, 'latin1');
    const { log } = peer.stream;
    appendKeyFrame(
      log,
      type,
      0,
      key.db,
      key.bytes,
      0,
      key.bytes.length,
      version,
      0,
      value,
      0,
      value.length,
    );
    this.#state.statistics.framesSent[type]!++;
    this.#streams.appended(peer);
  }
}
