import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Config, hasPlainPort } from '../base/config.js';
import { CLIENT_SWEEP_MS, READ_BUFFER_BYTES, REFUSED_MS } from '../base/limits.js';
import type { Logger } from '../base/logger.js';
import type { OutputLimits } from '../base/option-values.js';
import type { Users } from '../commands/acl/users.js';
import type { ClientRegistry } from '../commands/services.js';
import type { Statistics } from '../commands/statistics.js';
import type { Request } from '../protocol/request.js';
import { DEFAULT_REQUEST_LIMITS, type RequestLimits } from '../protocol/request-parser.js';
import { ClientConnection, type ConnectionHost } from './client-connection.js';
import type { ClientSocket } from './client-socket.js';
import { FlushList } from './flush-list.js';
import { InputBatch, type InputHost } from './input-batch.js';
import { LocalSockets } from './local-sockets.js';
import { ReplyGather } from './reply-gather.js';
import { openAccepted, type ReadMode } from './socket-reading.js';
import { TlsAcceptor } from './tls-acceptor.js';
import type { TlsFiles } from './tls-files.js';
import type { TurnEnd } from './turn-end.js';

type Writable<Type> = { -readonly [Name in keyof Type]: Type[Name] };

const TOO_MANY = 'ERR max number of clients reached';
/** Whoever is refused so can tell what to do about it. */
const PROTECTED =
  'DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the ' +
  'default user. In this mode connections are only accepted from the loopback interface. If you want to connect ' +
  'from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode ' +
  "sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from " +
  'the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you ' +
  'do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected ' +
  "mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then " +
  'restarting the server. 3) If you started the server manually just for testing, restart it with the ' +
  "'--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need " +
  'to do one of the above things in order for the server to start accepting connections from the outside.';

/** What the listener needs of the node. */
export interface ListenerHost extends InputHost {
  readonly config: Config;
  readonly logger: Logger;
  readonly statistics: Statistics;
  readonly users: Users;
  /** What clients of tls-port speak TLS with; not null where there is one. */
  readonly tls: TlsFiles | null;
  /** No port is opened: all clients are within this process. */
  readonly isPortless?: boolean;
  dispatch(client: ClientConnection, request: Request): void;
  departed(client: ClientConnection): void;
}

/** Accepts clients, keeps count of them, and closes those that idle. */
export class ClientListener implements ConnectionHost, ClientRegistry {
  readonly gather = new ReplyGather();
  readonly inputs: InputBatch;
  readonly flushList: FlushList;
  readonly locals: LocalSockets;
  readonly logger: Logger;
  readonly statistics: Statistics;
  /** One object for all parsers: CONFIG SET reaches those that exist too. */
  readonly requestLimits: Writable<RequestLimits> = { ...DEFAULT_REQUEST_LIMITS };
  outputLimits: OutputLimits;

  readonly #host: ListenerHost;
  readonly #servers: Server[] = [];
  readonly #tls: TlsAcceptor | null;
  readonly #mode: ReadMode;
  readonly #shared = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  /** In order of their ids, which is that of their age. */
  readonly #clients = new Map<number, ClientConnection>();
  #nextId = 1;
  #isAccepting = true;
  #sweep: NodeJS.Timeout | undefined;

  constructor(host: ListenerHost, turnEnd: TurnEnd, mode: ReadMode = 'onread') {
    this.#host = host;
    this.#mode = mode;
    this.inputs = new InputBatch(host, turnEnd);
    this.flushList = new FlushList(turnEnd);
    this.locals = new LocalSockets((socket) => this.#admitLocal(socket), turnEnd, host.statistics);
    this.logger = host.logger;
    this.statistics = host.statistics;
    this.outputLimits = host.config.get('client-output-buffer-limit');
    host.config.watch(
      ['client-output-buffer-limit', 'proto-max-bulk-len', 'client-query-buffer-limit'],
      () => this.#readLimits(),
    );
    this.#tls =
      host.tls &&
      new TlsAcceptor(host.tls, ({ authClients }) => authClients, {
        admitted: (socket) => this.#admit(socket, 'stream'),
        refused: (reason, from, socket) => {
          this.logger.debug('TLS client refused', { from, reason });
          if (socket !== null) this.#refuse(socket, `ERR ${reason}`);
        },
      });
  }

  get size(): number {
    return this.#clients.size;
  }

  all(): Iterable<ClientConnection> {
    return this.#clients.values();
  }

  find(id: number): ClientConnection | undefined {
    return this.#clients.get(id);
  }

  get users(): Users {
    return this.#host.users;
  }

  dispatch(client: ClientConnection, request: Request): void {
    this.#host.dispatch(client, request);
  }

  departed(client: ClientConnection): void {
    this.#host.departed(client);
  }

  /** Resolves to the ports when clients can connect, 0 for none; rejects with the system's error. */
  async listen(): Promise<{ port: number; tlsPort: number }> {
    const { config } = this.#host;
    this.#sweep = setInterval(() => this.#sweepClients(), CLIENT_SWEEP_MS);
    if (this.#host.isPortless === true) return { port: 0, tlsPort: 0 };
    const isPlain = hasPlainPort(config);
    const port = isPlain
      ? await this.#listen(config.get('port'), (one) => this.#admit(one, this.#mode))
      : 0;
    const set = config.get('tls-port');
    const tlsPort = set === 0 ? 0 : await this.#listen(set, (one) => this.#acceptTls(one));
    return { port, tlsPort };
  }

  #listen(port: number, accept: (socket: Socket) => void): Promise<number> {
    const { config } = this.#host;
    const server = createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true });
    this.#servers.push(server);
    server.on('connection', accept);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: config.get('bind'), backlog: config.get('tcp-backlog') }, () => {
        server.off('error', reject);
        // Accepting can fail for want of file descriptors: those who wait in the backlog are accepted later.
        server.on('error', (error) =>
          this.logger.warn('accepting clients failed', { error: error.message }),
        );
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  /** Accepts nobody any more. */
  stopAccepting(): void {
    this.#isAccepting = false;
    for (const server of this.#servers) server.close();
    this.#tls?.close();
  }

  /** Closes every connection at once. */
  closeAll(): void {
    clearInterval(this.#sweep);
    for (const client of this.#clients.values()) client.kill();
  }

  #readLimits(): void {
    const { config } = this.#host;
    this.outputLimits = config.get('client-output-buffer-limit');
    this.requestLimits.bulkBytesMax = config.get('proto-max-bulk-len');
    this.requestLimits.queryBufferBytesMax = config.get('client-query-buffer-limit');
  }

  /** No handshake is made in vain: whoever is not let in is not told why, as in Redis. */
  #acceptTls(accepted: Socket): void {
    if (this.#refusalFor(accepted) === null) {
      this.#tls!.accept(accepted);
      return;
    }
    this.statistics.connectionsRejected += 1;
    accepted.destroy();
  }

  #admit(accepted: Socket, mode: ReadMode): void {
    const refusal = this.#refusalFor(accepted);
    if (refusal !== null) {
      this.statistics.connectionsRejected += 1;
      this.#refuse(accepted, refusal);
      return;
    }
    const { config } = this.#host;
    const receive = (chunk: Buffer, length: number) => client.received(chunk, length);
    const socket = openAccepted(accepted, mode, this.#shared, receive);
    const client = this.#enter(socket);
    const keepAliveMs = config.get('tcp-keepalive') * 1000;
    if (keepAliveMs > 0) socket.setKeepAlive(true, keepAliveMs);
    this.statistics.connectionsReceived += 1;
    socket.resume();
  }

  /** A client within this process, which whoever started the node trusts: the default user, without a password. Null when nobody is accepted any more. */
  #admitLocal(socket: ClientSocket): ClientConnection | null {
    if (!this.#isAccepting) return null;
    const client = this.#enter(socket);
    client.authenticated = true;
    return client;
  }

  #enter(socket: ClientSocket): ClientConnection {
    const id = this.#nextId++;
    const client = new ClientConnection(id, socket, this, this.#host.beginTurn());
    this.#clients.set(id, client);
    socket.on('close', () => this.#clients.delete(id));
    return client;
  }

  #refusalFor({ remoteAddress }: Socket): string | null {
    const { config, users } = this.#host;
    if (this.#clients.size >= config.get('maxclients')) return TOO_MANY;
    const isOpen = users.default.needsNoPassword && config.get('protected-mode') === 'yes';
    return isOpen && !isLoopback(remoteAddress) ? PROTECTED : null;
  }

  #refuse(socket: Socket, refusal: string): void {
    socket.on('error', () => undefined);
    // Read to the end, so that closing does not reset the connection before the client has read the refusal.
    const end = setTimeout(() => socket.destroy(), REFUSED_MS);
    socket.on('close', () => clearTimeout(end));
    socket.resume();
    socket.end(`-${refusal}\r\n`);
  }

  #sweepClients(): void {
    const now = this.#host.beginTurn();
    const idleTimeoutMs = this.#host.config.get('timeout') * 1000;
    for (const client of this.#clients.values()) client.sweep(now, idleTimeoutMs);
  }
}

/** A socket that is gone already has no address. */
function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:::ffff:)?127\.|^::1$/.test(address);
}
