import type { Config } from '../../base/config.js';
import { clientLine } from '../client-line.js';
import type { ClientSession } from '../client-session.js';

/** Events that are alike within this time are one entry, milliseconds. */
const ALIKE_MS = 60_000;
/** Of the entries, so many of the latest are looked at for one that is alike. */
const LOOKED_AT = 10;
/** Bytes that are kept of the name of a key, a channel or a user. */
const NAME_BYTES_MAX = 1024;

export type Reason = 'command' | 'key' | 'channel' | 'auth';
export type Place = 'toplevel' | 'multi' | 'lua';

/** What was refused. */
export interface AclEvent {
  readonly reason: Reason;
  readonly context: Place;
  /** The command, the key or the channel. */
  readonly object: string;
  readonly username: string;
}

export interface AclLogEntry extends AclEvent {
  count: number;
  /** Of the last one, Unix milliseconds. */
  at: number;
  clientInfo: string;
}

/** What was refused of late, latest first; at most acllog-max-len. Names have one character per byte. */
export class AclLog {
  entries: AclLogEntry[] = [];
  /** Since the start, by their reason; those that are alike one by one. */
  readonly refused: Record<Reason, number> = { auth: 0, command: 0, key: 0, channel: 0 };
  readonly #config: Config;

  constructor(config: Config) {
    this.#config = config;
  }

  add(event: AclEvent, client: ClientSession, now: number): void {
    this.refused[event.reason]++;
    const object = event.object.slice(0, NAME_BYTES_MAX);
    const username = event.username.slice(0, NAME_BYTES_MAX);
    const at = this.entries.slice(0, LOOKED_AT).findIndex((entry) => {
      const isSame = entry.reason === event.reason && entry.context === event.context;
      const isSameName = entry.object === object && entry.username === username;
      return isSame && isSameName && Math.abs(now - entry.at) <= ALIKE_MS;
    });
    const clientInfo = clientLine(client, now);
    if (at >= 0) {
      const [entry] = this.entries.splice(at, 1) as [AclLogEntry];
      entry.count++;
      entry.at = now;
      entry.clientInfo = clientInfo;
      this.entries.unshift(entry);
      return;
    }
    this.entries.unshift({ ...event, object, username, count: 1, at: now, clientInfo });
    const lengthMax = this.#config.get('acllog-max-len');
    if (this.entries.length > lengthMax) this.entries.length = lengthMax;
  }
}
