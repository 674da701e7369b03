import type { Clock } from '../base/clock.js';
import type { Config } from '../base/config.js';
import type { Logger } from '../base/logger.js';
import type { ConfigFile } from './config-file.js';
import type { ReadMode } from './socket-reading.js';

export interface ServerOptions {
  readonly config: Config;
  /** Where CONFIG REWRITE writes to; none unless given. */
  readonly file?: ConfigFile | null;
  readonly logger: Logger;
  /** Called once the node has left and everything is closed; with the exit status. */
  onStopped(status: number): void;
  /** Whether it serves keys, as of every tick. */
  onTick?(isServing: boolean): void;
  /** No port for clients: all of them are within this process. */
  readonly isPortless?: boolean;
  /** No port at all: no other node is reached either. */
  readonly isIsolated?: boolean;
  readonly readMode?: ReadMode;
  readonly clock?: Clock;
}

/** TCP ports that a node listens on; 0 for those that it has not. */
export interface ListeningPorts {
  readonly port: number;
  readonly tlsPort: number;
  readonly busPort: number;
}
