import type { ReplySink } from '../cluster/operation.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { AclUser } from './acl/user.js';
import type { CommandOrder } from './command-order.js';
import type { ClientSubscriptions } from './subscriptions.js';
import type { ClientTracking } from './tracking.js';
import type { Transaction, WatchedKeys } from './transaction.js';
import type { BlockedClient } from './waiter.js';

/** Which replies a client wants: CLIENT REPLY ON, OFF, SKIP (the next command's is left out). */
export type ReplyMode = 'on' | 'off' | 'skip';

/** One client connection as commands see it. The server's ClientConnection is one; tests use plain objects. */
export interface ClientSession extends ReplySink {
  readonly id: number;
  /** "host:port" of the client and of the socket it connected to. */
  readonly address: string;
  readonly localAddress: string;
  /** Then it is told the TLS ports of nodes. */
  readonly usesTls: boolean;
  /** Unix milliseconds. */
  readonly createdAt: number;
  lastActiveAt: number;
  name: string;
  libraryName: string;
  libraryVersion: string;
  db: number;
  authenticated: boolean;
  /** Who it is: the default user before it has authenticated itself. */
  user: AclUser;
  noEvict: boolean;
  replyMode: ReplyMode;
  /** What it is subscribed to; null for nothing. Changed by Subscriptions alone. */
  subscriptions: ClientSubscriptions | null;
  /** It is shown the commands of this node's clients. Changed by Monitors alone. */
  monitors: boolean;
  /** How it tracks; null when it does not. Changed by Tracking alone. */
  tracking: ClientTracking | null;
  /** What it has queued since MULTI; null outside. */
  transaction: Transaction | null;
  /** What it watches; null for nothing. */
  watched: WatchedKeys | null;
  /** Lower-case name of the last command, with its subcommand as "client|list". */
  lastCommand: string;
  commandsRun: number;
  /** Bytes for CLIENT LIST: query buffer in use and output waiting. */
  readonly queryBufferBytes: number;
  readonly outputBytes: number;
  /** Replies are appended here; its `proto` is the connection's protocol version. */
  readonly reply: ReplyWriter;
  /** Which of its commands are on their way. */
  readonly order: CommandOrder;
  /** Its blocking command that is under way: what comes behind that waits. */
  blocked: BlockedClient | null;
  /** Its command waits for the end of a CLIENT PAUSE: it counts as a blocked client, too. */
  isPostponed: boolean;
  /** Keeps a command, which owns its bytes, until `release`; nothing that comes behind it is dispatched before. */
  hold(request: Request): void;
  /** What is held is dispatched again, later in this turn; nothing happens when nothing is. */
  release(): void;
  /**
   * Ends the reply that was appended since the last end. With `acks` > 0 it is held until `acknowledged(token)` was called
   * that often; returns the token (0 when nothing is held).
   */
  endReply(acks: number): number;
  /** Keeps a place in the order for a reply that comes later by `complete(token, bytes)`. */
  deferReply(): number;
  /** Sends what is no reply, behind all replies so far and the one in progress. The bytes may be overwritten after the return. */
  push(bytes: Buffer): void;
  /** An attempt of its waiting command was in vain: what was pushed meanwhile goes out before the reply. */
  showPushed(): void;
  /** Runs something when all replies so far are on their way to the client: at once where none waits. Never when it is gone. */
  afterReplies(run: () => void): void;
  /** Closes after all replies up to now have been sent. */
  closeAfterReplies(): void;
  /** Closes at once (CLIENT KILL). */
  kill(): void;
}
