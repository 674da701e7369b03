import { Request } from '../protocol/request.js';
import type { Key } from './key.js';
import { type CommandTraits, KeyMode, type Operation, Pairs, type ReplySink } from './operation.js';

/**
 * The step of a gathering command that brings one key here: routed like a command of its own. Where the key is primary it
 * is handed over to the asker; where it is absent it is reserved. No client can send it: its name is in no table.
 */
export const ACQUIRE: CommandTraits = {
  name: '\0acquire',
  write: true,
  creates: true,
  denyOom: false,
  observes: false,
  // Nor does what gathers wait for a key at the node that gives it away: it does when it has all of them.
  usesElements: false,
  keyMode: KeyMode.Single,
  pairs: Pairs.None,
};

export const acquireOperation = (key: Key, sink: ReplySink, token: number): Operation => ({
  request: Request.of(ACQUIRE.name, key.bytes),
  traits: ACQUIRE,
  keys: [1],
  db: key.db,
  proto: 2,
  sink,
  token,
});

export const isAcquire = (request: Request): boolean =>
  request.argc === 2 && request.is(0, '\0ACQUIRE');
