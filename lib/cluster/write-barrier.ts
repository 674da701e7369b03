import type { ReplySink } from './operation.js';

/** What the reply of a command that runs here has to wait for. One command runs at a time; none runs inside another. */
export interface WriteBarrier {
  /** Starts a command: the wall clock of the keyspace is read, the count is zero. */
  begin(): void;
  /** Acks that must come before the reply may be sent: of its own changes, and of changes that it read. */
  count(): number;
  /** `sink.acknowledged(token)` will be called once for each of the acks counted. */
  register(sink: ReplySink, token: number): void;
  /** Evicts what the policy allows; true when a command that may need memory has to be refused with -OOM. */
  outOfMemory(): boolean;
}
