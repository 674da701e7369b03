import type { Request } from '../protocol/request.js';
import type { Ref, ValueType } from '../store/store.js';
import type { ChangeHooks } from './changes.js';
import type { Peer } from './peer.js';

/** What the keyspace needs of mechanisms built on it. */
export interface KeyspaceHooks extends ChangeHooks {
  /** A key was created here without a claim, and others keep a list of all locations. */
  created(ref: Ref): void;
  /** Evicts by policy; true when memory is still full. */
  makeRoom(): boolean;
  /** The running command has made a list or sorted set of what was absent or of another type; `isClaimed`: provisionally. */
  came(type: ValueType, db: number, request: Request, keyIndex: number, isClaimed: boolean): void;
  /** Whether a member that seems full may be sent more, perhaps after evicting by policy what it holds. */
  admits(backup: Peer): boolean;
}

/** Why a key is deleted on nobody's behalf. */
export const Reclaimed = { LetGo: 0, Expired: 1, Evicted: 2 } as const;
export type Reclaimed = (typeof Reclaimed)[keyof typeof Reclaimed];

/** A command that runs on a key which is absent here, before its anchor has granted the creation. */
export interface Provisional {
  readonly anchor: Peer;
  /** Set by the creation: version and end offset of the CLAIM, 0 while nothing was created. */
  version: number;
  offset: number;
}
