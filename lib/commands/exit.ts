import type { ReplySink } from '../cluster/operation.js';

/** How the reply of the running command goes out, where that is not by `client.endReply`. */
export interface Exit {
  readonly sink: ReplySink;
  readonly token: number;
}

/** For replies that nobody wants: CLIENT REPLY OFF and SKIP. */
export const SILENCE: Exit = { sink: { acknowledged() {}, complete() {}, fail() {} }, token: 0 };
