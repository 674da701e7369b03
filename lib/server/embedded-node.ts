import { type Logger, silentLogger } from '../base/logger.js';
import type { Argument } from '../protocol/request-writer.js';
import { listenFailure } from './listen-failure.js';
import {
  type BufferReply,
  ClosedError,
  type Command,
  LocalClient,
  type Reply,
  type SetOptions,
} from './local-client.js';
import { LocalSubscriber, type MessageListener, type Subscription } from './local-subscriber.js';
import { type NodeLogger, type NodeOptions, readNodeOptions } from './node-options.js';
import { TandisServer } from './server.js';
import type { ListeningPorts } from './server-options.js';

/** Where a node is reached: by members at `host` and `busPort`, by clients at its ports; null for one that it has not. */
export interface NodeAddress {
  readonly host: string;
  readonly busPort: number;
  readonly port: number | null;
  readonly tlsPort: number | null;
}

export interface CloseOptions {
  /** Ends at once, as SHUTDOWN NOW: the others find that this node has died, and have the other copy of each key. */
  readonly now?: boolean;
}

function loggerTo(logger: NodeLogger | undefined): Logger {
  if (logger === undefined) return silentLogger;
  return {
    debug: (event, facts = {}) => logger.debug(facts, event),
    info: (event, facts = {}) => logger.info(facts, event),
    warn: (event, facts = {}) => logger.warn(facts, event),
    error: (event, facts = {}) => logger.error(facts, event),
  };
}

/** A promise that somebody else resolves; it may be rejected with nobody listening. */
class Moment {
  resolve!: () => void;
  reject!: (error: Error) => void;
  readonly reached: Promise<void>;

  constructor() {
    this.reached = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.reached.catch(() => undefined);
  }
}

/**
 * A node in this process, made by `createNode`. Its commands go the way of all others: they see the keys of the whole
 * cluster, and a write is replied to when it is on two nodes. Reads of keys that are here need no network.
 */
export class TandisNode {
  readonly #server: TandisServer;
  #serving = new Moment();
  #isServing = false;
  readonly #left = new Moment();
  #ports!: ListeningPorts;
  #client: LocalClient | null = null;
  #subscriber: LocalSubscriber | null = null;

  /** Use `createNode`. Throws OptionError. */
  constructor(options: NodeOptions) {
    const { config, isPortless } = readNodeOptions(options);
    this.#server = new TandisServer({
      config,
      isPortless,
      logger: loggerTo(options.logger),
      onTick: (isServing) => this.#served(isServing),
      onStopped: (status) => this.#stopped(status),
    });
  }

  /** Resolves when its ports listen; `createNode` calls it. */
  async start(): Promise<void> {
    try {
      this.#ports = await this.#server.start();
    } catch (error) {
      const failure = listenFailure(error);
      throw failure === null ? error : new Error(failure, { cause: error });
    }
  }

  #served(isServing: boolean): void {
    if (isServing === this.#isServing) return;
    this.#isServing = isServing;
    if (isServing) this.#serving.resolve();
    else this.#serving = new Moment();
  }

  #stopped(status: number): void {
    this.#served(false);
    this.#serving.reject(new ClosedError('the node has left'));
    if (status === 0) this.#left.resolve();
    else this.#left.reject(new Error('the node has left without handing over everything'));
  }

  /**
   * Resolves when it serves keys: in a cluster, with its leases; after the others where it waits for them (`expect`). At
   * once while it does; rejects with ClosedError when it has left.
   */
  ready(): Promise<void> {
    return this.#serving.reached;
  }

  /** By which the cluster knows it; a new one with each start. */
  get id(): string {
    return this.#server.self.id;
  }

  get address(): NodeAddress {
    const { port, tlsPort, busPort } = this.#ports;
    return { host: this.#server.self.host, busPort, port: port || null, tlsPort: tlsPort || null };
  }

  /**
   * Resolves when it has left, by `close` or by SHUTDOWN from a client. Rejects when leave-timeout has passed before
   * everything was handed over.
   */
  get closed(): Promise<void> {
    return this.#left.reached;
  }

  /** Hands over what is held here, and closes everything. Settles as `closed` does. */
  close({ now = false }: CloseOptions = {}): Promise<void> {
    if (now) this.#server.stopNow();
    else this.#server.stop();
    return this.closed;
  }

  /** A client of its own: for another database or user, WATCH, or commands that wait. The caller closes it. */
  connect(): LocalClient {
    return new LocalClient(this.#server.locals, false);
  }

  /** The client that all who call the node share; a new one when somebody has closed it (CLIENT KILL). */
  get #shared(): LocalClient {
    if (this.#client === null || this.#client.isClosed) {
      this.#client = new LocalClient(this.#server.locals, true);
    }
    return this.#client;
  }

  /** Runs a command in database 0 as the default user; this and the following as those of LocalClient. */
  call(...command: Command): Promise<Reply> {
    return this.#shared.call(...command);
  }

  callBuffer(...command: Command): Promise<BufferReply> {
    return this.#shared.callBuffer(...command);
  }

  get(key: Argument): Promise<string | null> {
    return this.#shared.get(key);
  }

  getBuffer(key: Argument): Promise<Buffer | null> {
    return this.#shared.getBuffer(key);
  }

  set(key: Argument, value: Argument, options?: SetOptions): Promise<boolean> {
    return this.#shared.set(key, value, options);
  }

  del(...keys: readonly [Argument, ...Argument[]]): Promise<number> {
    return this.#shared.del(...keys);
  }

  expire(key: Argument, seconds: number): Promise<boolean> {
    return this.#shared.expire(key, seconds);
  }

  transaction(commands: readonly Command[]): Promise<Reply[] | null> {
    return this.#shared.transaction(commands);
  }

  /**
   * Calls `listener` with what is published on a channel, through any node. Resolves when all nodes know: what is published
   * after that is heard. Rejects as calls do.
   */
  subscribe(channel: string, listener: MessageListener): Promise<Subscription> {
    return this.#listener.add('subscribe', channel, listener);
  }

  /** The same for all channels whose names match a pattern, as `__keyevent@0__:*`. */
  psubscribe(pattern: string, listener: MessageListener): Promise<Subscription> {
    return this.#listener.add('psubscribe', pattern, listener);
  }

  /** The client that hears for all who listen; a new one when somebody has closed it. */
  get #listener(): LocalSubscriber {
    if (this.#subscriber === null || this.#subscriber.isClosed) {
      this.#subscriber = new LocalSubscriber(this.#server.locals);
    }
    return this.#subscriber;
  }
}

/**
 * Starts a node in this process. Resolves when its ports listen; await `ready()` before the first command. Rejects with
 * OptionError for options that are wrong, and with an Error that says which port is in use. Nothing of the process is
 * touched: no signal handlers, no exit, no output.
 */
export async function createNode(options: NodeOptions = {}): Promise<TandisNode> {
  const node = new TandisNode(options);
  await node.start();
  return node;
}
