import { busSecrets, guardBusSecrets } from '../base/bus-secrecy.js';
import { type Clock, systemClock } from '../base/clock.js';
import { busPortOf, type Config } from '../base/config.js';
import { BUS_CONNECTIONS } from '../base/limits.js';
import type { Logger } from '../base/logger.js';
import { VERSION } from '../base/package.js';
import { randomId, randomSeed } from '../base/random.js';
import type { Member } from '../cluster/member.js';
import { ClusterNode } from '../cluster/node.js';
import { Users } from '../commands/acl/users.js';
import { createCommandTable } from '../commands/all-commands.js';
import { Dispatcher } from '../commands/dispatcher.js';
import type { Monitors } from '../commands/monitors.js';
import { Statistics } from '../commands/statistics.js';
import { Subscriptions } from '../commands/subscriptions.js';
import { Tracking } from '../commands/tracking.js';
import { Store } from '../store/store.js';
import { AclFileStore } from './acl-file-store.js';
import { AdminPort } from './admin-port.js';
import { announcedHost } from './bus-addresses.js';
import { BusTransport } from './bus-transport.js';
import { ClientListener } from './client-listener.js';
import { ClusterConfigFile } from './cluster-config-file.js';
import { NodeClusterFacts } from './cluster-facts.js';
import { clusterSettings, shareSettings } from './cluster-settings.js';
import { Ending } from './ending.js';
import { logEvent } from './event-log.js';
import { Farewell } from './farewell.js';
import { Housekeeping } from './housekeeping.js';
import { JoinResolver } from './join-resolver.js';
import type { LocalSockets } from './local-sockets.js';
import { busHandler, clusterHost } from './node-bus.js';
import { ServerServices } from './node-services.js';
import { openToOperators } from './operator-access.js';
import type { ListeningPorts, ServerOptions } from './server-options.js';
import { checkSnapshot, SnapshotKeeper } from './snapshot-keeper.js';
import { loadUsers } from './starting-users.js';
import { openTlsFiles, type TlsFiles } from './tls-files.js';
import { TurnEnd } from './turn-end.js';
import { ViewWatch } from './view-watch.js';

/** Names of join addresses are resolved again each so many milliseconds. */
const RESOLVE_MS = 1000;
/** A command that waits for other members is answered, or refused, within so many node-timeouts. */
const ANSWER_NODE_TIMEOUTS = 5;

/** One node: the composition root. Parts are made in `start`, once the ports are known. */
export class TandisServer {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #options: ServerOptions;
  readonly #statistics = new Statistics();
  readonly #table = createCommandTable();
  readonly #users: Users;
  readonly #aclFile: AclFileStore;
  readonly #store = new Store({ seed: randomSeed() });
  readonly #tls: TlsFiles | null;
  readonly #clients: ClientListener;
  readonly #bus: BusTransport;
  readonly #admin: AdminPort | null;
  readonly #file: ClusterConfigFile | null;
  readonly #join: JoinResolver;
  readonly #joinListGiven: boolean;
  #node!: ClusterNode;
  #dispatcher!: Dispatcher;
  #subscriptions!: Subscriptions;
  #tracking!: Tracking;
  #monitors!: Monitors;
  #housekeeping!: Housekeeping;
  #snapshots!: SnapshotKeeper;
  #ending!: Ending;
  #views!: ViewWatch;
  #resolving: NodeJS.Timeout | undefined;
  readonly #farewell: Farewell;

  /** Throws OptionError for certificates that cannot be used. */
  constructor(options: ServerOptions) {
    const { config, logger } = options;
    this.#options = options;
    this.#config = config;
    this.#logger = logger;
    this.#clock = options.clock ?? systemClock;
    const readMode = options.readMode ?? 'onread';
    const path = config.get('cluster-config-file');
    this.#file = path === '' ? null : new ClusterConfigFile(path, logger);
    const names = [...config.get('join'), ...(this.#file?.read() ?? [])];
    this.#joinListGiven = names.length > 0;
    this.#join = new JoinResolver(names, logger);
    this.#users = new Users(config, this.#table);
    this.#aclFile = new AclFileStore(config.get('aclfile'), logger);
    const turnEnd = new TurnEnd();
    this.#tls = openTlsFiles(config, logger, this.#statistics);
    guardBusSecrets(config);
    this.#clients = new ClientListener(
      {
        config,
        logger,
        statistics: this.#statistics,
        users: this.#users,
        tls: this.#tls,
        isPortless: options.isPortless === true || options.isIsolated === true,
        beginTurn: () => this.#beginTurn(),
        prefetch: (keys) => this.#store.prefetch(keys),
        dispatch: (client, request) => this.#dispatcher.dispatch(client, request),
        departed: (client) => {
          this.#subscriptions.reset(client);
          this.#tracking.disable(client);
          this.#monitors.remove(client);
        },
      },
      turnEnd,
      readMode,
    );
    this.#farewell = new Farewell(
      this.#clients,
      () => this.#clock.wallMs(),
      config.get('node-timeout') * ANSWER_NODE_TIMEOUTS,
    );
    this.#bus = new BusTransport(
      {
        host: config.get('bind'),
        port: busPortOf(config),
        connectionsMax: BUS_CONNECTIONS,
        dialTimeoutMs: config.get('node-timeout'),
        readMode,
        secrets: () => busSecrets(config),
        tls: config.get('tls-cluster') === 'yes' ? this.#tls : null,
        logger,
        statistics: this.#statistics,
        self: () => this.#node.membership.self.id,
      },
      busHandler(
        () => this.#node,
        () => void this.#beginTurn(),
      ),
      turnEnd,
    );
    this.#admin = config.get('admin-port') === 0 ? null : new AdminPort();
    loadUsers(config, this.#users, this.#aclFile);
    const { locals, inputs, flushList } = this.#clients;
    turnEnd.steps.push(locals, inputs, this.#bus, flushList);
  }

  /** Resolves when both ports listen; the node joins or founds its cluster after that. Rejects with the system's error. */
  async start(): Promise<ListeningPorts> {
    const snapshotPath = this.#config.get('snapshot-file');
    const snapshot = await checkSnapshot(snapshotPath, this.#config.get('databases'));
    const ports = await this.#listen();
    // No socket event comes before this turn ends, so that none finds a part missing.
    const services = this.#compose(ports);
    services.scripts.prepare();
    const own = { config: this.#config, logger: this.#logger, store: this.#store };
    const parts = { ...own, node: this.#node, beginTurn: () => this.#beginTurn() };
    const isStopped = (): boolean => this.#ending.isStopped;
    this.#snapshots = new SnapshotKeeper({ ...parts, isStopped }, snapshot);
    this.#ending = new Ending({
      ...parts,
      snapshots: this.#snapshots,
      farewell: this.#farewell,
      closed: (status) => this.#stopped(status),
    });
    openToOperators({
      admin: this.#admin,
      node: this.#node,
      dispatcher: this.#dispatcher,
      services,
      table: this.#table,
      beginTurn: () => this.#beginTurn(),
      drain: () => this.#ending.leave(false),
    });
    this.#bus.open();
    this.#logger.info('listening', {
      version: VERSION,
      host: this.#config.get('bind'),
      ...ports,
    });
    this.#node.start(this.#clock.monotonicMs(), this.#clock.wallMs());
    this.#housekeeping.start();
    void this.#join.refresh();
    this.#resolving = setInterval(() => this.#resolveNames(), RESOLVE_MS);
    this.#ticked();
    return ports;
  }

  /** This node as the others know it; from `start` on. */
  get self(): Member {
    return this.#node.membership.self;
  }

  /** Clients within this process. */
  get locals(): LocalSockets {
    return this.#clients.locals;
  }

  /** Reads certificates and keys again. */
  reload(): void {
    if (this.#tls === null) this.#logger.info('nothing to reload: no TLS');
    else this.#tls.reload();
  }

  async #listen(): Promise<ListeningPorts> {
    try {
      if (this.#options.isIsolated === true) {
        return { ...(await this.#clients.listen()), busPort: 0 };
      }
      await this.#admin?.listen(this.#config.get('admin-bind'), this.#config.get('admin-port'));
      const busPort = await this.#bus.listen();
      return { ...(await this.#clients.listen()), busPort };
    } catch (error) {
      this.#closePorts();
      throw error;
    }
  }

  #compose({ port, tlsPort, busPort }: ListeningPorts): ServerServices {
    const config = this.#config;
    const self: Member = {
      id: randomId(),
      host: announcedHost(config),
      port: port || tlsPort,
      busPort,
      zone: config.get('zone'),
      leaving: false,
      ...(tlsPort === 0 ? {} : { tlsPort }),
    };
    const node = new ClusterNode(
      this.#store,
      clusterSettings(config),
      {
        nodeTimeoutMs: config.get('node-timeout'),
        partitionPolicy: config.get('partition-policy'),
        joinListGiven: this.#joinListGiven,
        expect: config.get('expect'),
      },
      self,
      clusterHost(this.#bus, this.#join, this.#logger),
      this.#clock.monotonicMs(),
    );
    this.#node = node;
    node.events.listeners.push((event) => logEvent(this.#logger, event));
    this.#subscriptions = new Subscriptions(node.publishing, (run) => setImmediate(run));
    node.publishing.subscribers = this.#subscriptions;
    this.#tracking = this.#makeTracking(node);
    const services = new ServerServices({
      config,
      file: this.#options.file ?? null,
      statistics: this.#statistics,
      clients: this.#clients,
      users: this.#users,
      aclFile: this.#aclFile,
      cluster: new NodeClusterFacts(node, this.#store),
      subscriptions: this.#subscriptions,
      tracking: this.#tracking,
      settings: node.sharedSettings,
      sharing: node.router.scripts,
      store: this.#store,
      logger: this.#logger,
      runId: self.id,
      beginTurn: () => void this.#beginTurn(),
      counts: () => node.state.statistics,
      shutdown: (request, ended) => this.#ending.shutdown(request, ended),
      abortShutdown: () => this.#ending.abort(),
    });
    this.#statistics.wasReset = () => node.state.statistics.beginKeyCounts();
    this.#monitors = services.monitors;
    this.#dispatcher = new Dispatcher({
      table: this.#table,
      keyspace: node.keyspace,
      router: node.router,
      barrier: node.keyspace,
      services,
    });
    node.executor = this.#dispatcher;
    node.keyspace.events.running = () => this.#dispatcher.events;
    node.keyspace.events.origin = () => this.#dispatcher.origin;
    shareSettings(config, node, this.#logger);
    this.#views = this.#makeViewWatch(node);
    this.#housekeeping = new Housekeeping({
      node,
      store: this.#store,
      clients: this.#clients,
      statistics: this.#statistics,
      clock: this.#clock,
      nodeTimeoutMs: config.get('node-timeout'),
      ticked: () => {
        services.sample();
        services.tracking.shrink();
        this.#snapshots.step();
        this.#ticked();
      },
    });
    return services;
  }

  #makeTracking(node: ClusterNode): Tracking {
    const config = this.#config;
    const clients = this.#clients;
    const tracking = new Tracking(node.invalidation, {
      limits: this.#statistics.limits,
      get keysMax() {
        return config.get('tracking-table-max-keys');
      },
      find(id) {
        const client = clients.find(id);
        return client?.isClosing ? undefined : client;
      },
    });
    node.invalidation.clients = tracking;
    return tracking;
  }

  #makeViewWatch(node: ClusterNode): ViewWatch {
    return new ViewWatch({
      node,
      clients: this.#clients,
      tracking: this.#tracking,
      file: this.#file,
      join: this.#join,
      isTold: this.#joinListGiven,
      nodeTimeoutMs: this.#config.get('node-timeout'),
      clock: this.#clock,
      logger: this.#logger,
    });
  }

  /** Returns the wall clock, Unix milliseconds. */
  #beginTurn(): number {
    const wall = this.#clock.wallMs();
    this.#node.beginTurn(this.#clock.monotonicMs(), wall);
    return wall;
  }

  #resolveNames(): void {
    // In a view the members know where the others are.
    if (this.#node.state.view === null) void this.#join.refresh();
  }

  #ticked(): void {
    this.#options.onTick?.(this.#node.state.isServing);
    this.#views.tick();
  }

  // --- the end

  /** Leaves in good order: hands over what is held here, then closes everything and calls `onStopped`. */
  stop(): void {
    this.#ending.leave(true);
  }

  /** Closes everything without handing over, and calls `onStopped`. */
  stopNow(): void {
    this.#ending.close(0);
  }

  #stopped(status: number): void {
    this.#housekeeping.stop();
    clearInterval(this.#resolving);
    this.#closePorts();
    this.#options.onStopped(status);
  }

  #closePorts(): void {
    this.#clients.stopAccepting();
    this.#clients.closeAll();
    this.#bus.close();
    this.#admin?.close();
  }
}
