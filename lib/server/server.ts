import { busSecrets, guardBusSecrets } from '../base/bus-secrecy.js';
import { type Clock, systemClock } from '../base/clock.js';
import { busPortOf, type Config } from '../base/config.js';
import type { Logger } from '../base/logger.js';
import { OptionError } from '../base/option-values.js';
import { randomId, randomSeed } from '../base/random.js';
import { VERSION } from '../base/version.js';
import type { Member, View } from '../cluster/member.js';
import { ClusterNode } from '../cluster/node.js';
import type { ClusterHost } from '../cluster/node-parts.js';
import { CLUSTER_DOWN, OUTCOME_UNKNOWN } from '../cluster/runner.js';
import { inConfiguration, inFile, parseAclText } from '../commands/acl/acl-file.js';
import { NOBODY, Users } from '../commands/acl/users.js';
import { createCommandTable } from '../commands/all-commands.js';
import { Dispatcher } from '../commands/dispatcher.js';
import type { Monitors } from '../commands/monitors.js';
import type { ShutdownEnded, ShutdownRequest } from '../commands/services.js';
import { Statistics } from '../commands/statistics.js';
import { Subscriptions } from '../commands/subscriptions.js';
import { Tracking } from '../commands/tracking.js';
import { Store } from '../store/store.js';
import { AclFileStore } from './acl-file-store.js';
import { AdminPort } from './admin-port.js';
import { announcedHost, showBusAddress } from './bus-addresses.js';
import { type BusHandler, BusTransport } from './bus-transport.js';
import { ClientListener } from './client-listener.js';
import { ClusterConfigFile } from './cluster-config-file.js';
import { NodeClusterFacts } from './cluster-facts.js';
import { clusterSettings, shareSettings } from './cluster-settings.js';
import { logEvent } from './event-log.js';
import { Farewell } from './farewell.js';
import { Housekeeping } from './housekeeping.js';
import { JoinResolver } from './join-resolver.js';
import type { LocalSockets } from './local-sockets.js';
import { LonelyWatch } from './lonely-watch.js';
import { ServerServices } from './node-services.js';
import { openToOperators } from './operator-access.js';
import type { ListeningPorts, ServerOptions } from './server-options.js';
import { checkSnapshot, SnapshotKeeper } from './snapshot-keeper.js';
import { openTlsFiles, type TlsFiles } from './tls-files.js';
import { TurnEnd } from './turn-end.js';

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
  /** leave-timeout has passed before everything was handed over. */
  #isOverdue = false;
  #resolving: NodeJS.Timeout | undefined;
  /** The view that was installed at the last tick. */
  #shownView: View | null = null;
  readonly #lonely: LonelyWatch;
  readonly #farewell: Farewell;
  /** The leaving under way, with those who asked for it and wait to be told. */
  #leaving: {
    readonly timer: NodeJS.Timeout;
    readonly ended: ShutdownEnded[];
    mustGo: boolean;
  } | null = null;
  #isStopped = false;
  /** Whether too few members were reached at the last tick. */
  #wasDown = false;

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
    this.#lonely = new LonelyWatch(config.get('node-timeout'));
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
        isPortless: options.isPortless === true,
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
        dialTimeoutMs: config.get('node-timeout'),
        readMode,
        secrets: () => busSecrets(config),
        tls: config.get('tls-cluster') === 'yes' ? this.#tls : null,
        logger,
        statistics: this.#statistics,
        self: () => this.#node.membership.self.id,
      },
      this.#busHandler(),
      turnEnd,
    );
    this.#admin = config.get('admin-port') === 0 ? null : new AdminPort();
    this.#loadUsers();
    const { locals, inputs, flushList } = this.#clients;
    turnEnd.steps.push(locals, inputs, this.#bus, flushList);
  }

  /** The users of the ACL file, or those of the configuration. Throws OptionError where these are not right. */
  #loadUsers(): void {
    const path = this.#config.get('aclfile');
    const lines = this.#config.get('user');
    if (path === '' && lines.length === 0) return;
    if (path !== '' && lines.length > 0)
      throw new OptionError('give users or an aclfile, not both');
    const content = lines.map((line) => `user ${Buffer.from(line).toString('latin1')}\n`).join('');
    const text = path === '' ? { content } : this.#aclFile.read();
    const placeOf = path === '' ? inConfiguration(lines) : inFile(path);
    const found =
      typeof text === 'string' ? text : parseAclText(text.content, placeOf, this.#users);
    if (typeof found === 'string') throw new OptionError(found);
    this.#users.replaceAll(found, NOBODY);
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
    const isStopped = (): boolean => this.#isStopped;
    this.#snapshots = new SnapshotKeeper({ ...parts, isStopped }, snapshot);
    openToOperators({
      admin: this.#admin,
      node: this.#node,
      dispatcher: this.#dispatcher,
      services,
      table: this.#table,
      beginTurn: () => this.#beginTurn(),
      drain: () => this.#leave(false),
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
      this.#clusterHost(),
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
      shutdown: (request, ended) => this.#shutdown(request, ended),
      abortShutdown: () => this.#abortLeaving(),
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

  #clusterHost(): ClusterHost {
    const bus = this.#bus;
    return {
      dial: (address) => bus.dialControl(address),
      send: (link, message) => bus.sendControl(link, message),
      close: (link) => bus.closeLink(link),
      joinAddresses: () => this.#join.current,
      randomId,
      log: (level, event, facts) => this.#logger[level](event, facts),
      dialData: (member) => bus.dialData(member),
      sendData: (link, buffer, start, end) => bus.sendData(link, buffer, start, end),
      closeData: (link) => bus.closeLink(link),
      wantFlush: () => bus.wantFlush(),
      random: () => Math.random(),
    };
  }

  #busHandler(): BusHandler {
    return {
      beginTurn: () => void this.#beginTurn(),
      controlOpened: (link) => this.#node.controlOpened(link),
      controlAccepted: (link) => this.#node.controlAccepted(link),
      controlClosed: (link, end) => this.#node.controlClosed(link, end),
      controlMessage: (link, message) => this.#node.controlMessage(link, message),
      dataOpened: (link) => this.#node.dataOpened(link),
      dataAccepted: (link, from) => this.#node.dataAccepted(link, from),
      dataClosed: (link) => this.#node.dataClosed(link),
      dataReceived: (link, chunk, length) => this.#node.dataReceived(link, chunk, length),
      flush: () => this.#node.flush(),
    };
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
    const { view, self, isDown, isServing } = this.#node.state;
    this.#options.onTick?.(isServing);
    if (isDown && !this.#wasDown) this.#wentDown();
    this.#wasDown = isDown;
    if (view === this.#shownView) {
      this.#warnWhenAlone();
      return;
    }
    this.#shownView = view;
    if (view === null) return;
    const members = view.members.map(showBusAddress);
    this.#logger.debug('members', { number: view.id.number, members });
    if (members.length > 1) this.#file?.write(view.members.filter(({ id }) => id !== self.id));
    this.#lonely.viewChanged(members.length, this.#clock.monotonicMs());
  }

  /** No ack and no reply comes from the members that are cut off, and no view change ends the wait for them. */
  #wentDown(): void {
    this.#logger.warn('too few members are reached to serve with', {
      members: this.#node.state.view?.members.length ?? 0,
    });
    // The others may go on changing keys without a word to this node.
    this.#tracking.invalidateAll();
    for (const client of this.#clients.all()) {
      // Who waits, and tries nothing, knows that nothing was run.
      if (client.blocked?.isTrying === false) client.blocked.unblock(CLUSTER_DOWN);
      client.failWaiting(OUTCOME_UNKNOWN);
    }
  }

  #warnWhenAlone(): void {
    if (!this.#joinListGiven || !this.#lonely.isOverdue(this.#clock.monotonicMs())) return;
    this.#logger.warn('SERVING ALONE: none of the others was reached', {
      join: this.#join.current.addresses.map(showBusAddress),
    });
  }

  // --- the end

  /** Leaves in good order: hands over what is held here, then closes everything and calls `onStopped`. */
  stop(): void {
    this.#leave(true);
  }

  /** Closes everything without handing over, and calls `onStopped`. */
  stopNow(): void {
    this.#close(0);
  }

  #shutdown(request: ShutdownRequest, ended: ShutdownEnded): void {
    this.#snapshots.isWanted = request.save;
    if (request.now) this.#close(0);
    else this.#leave(request.force);
    if (this.#leaving === null || this.#isStopped) ended(null);
    else this.#leaving.ended.push(ended);
  }

  /** `mustGo`: when there is still something to hand over after leave-timeout, this node ends all the same. */
  #leave(mustGo: boolean): void {
    if (this.#node.state.view === null) {
      this.#close(0);
      return;
    }
    if (this.#leaving !== null) {
      this.#leaving.mustGo ||= mustGo;
      return;
    }
    const timeoutMs = this.#config.get('leave-timeout') * 1000;
    const timer = setTimeout(() => this.#leavingOverdue(), timeoutMs).unref();
    this.#leaving = { timer, ended: [], mustGo };
    this.#beginTurn();
    this.#node.leave({
      emptied: (done) => {
        this.#tellLeaving(null);
        this.#farewell.begin(() => {
          this.#beginTurn();
          done();
        });
      },
      isKept: () => this.#snapshots.isKept,
      left: () => {
        this.#logger.info('left');
        void this.#end();
      },
    });
  }

  #leavingOverdue(): void {
    if (this.#leaving === null) return;
    if (!this.#leaving.mustGo && this.#abortLeaving()) return;
    this.#logger.warn('left without handing over everything', {
      leaveTimeoutSeconds: this.#config.get('leave-timeout'),
      keysWithoutBackup: this.#node.keysWithoutBackup(),
    });
    this.#isOverdue = true;
    if (this.#node.state.isAlone) this.#node.endLeaving();
    else this.#close(1);
  }

  /** Nobody stays, or nothing is held here any more. */
  async #end(): Promise<void> {
    clearTimeout(this.#leaving?.timer);
    // Nothing is served any more: what is written is what was acknowledged.
    const isWritten = await this.#snapshots.write();
    this.#close(isWritten && !this.#isOverdue ? 0 : 1);
  }

  /** False when there is nothing to abort, or when it is too late for that. */
  #abortLeaving(): boolean {
    if (this.#leaving === null || this.#isStopped || !this.#node.stay()) return false;
    this.#logger.warn('leaving aborted');
    clearTimeout(this.#leaving.timer);
    this.#tellLeaving('ERR Errors trying to SHUTDOWN. Check logs.');
    this.#leaving = null;
    this.#snapshots.isWanted = true;
    return true;
  }

  #tellLeaving(error: string | null): void {
    for (const ended of this.#leaving?.ended.splice(0) ?? []) ended(error);
  }

  /** Lets clients take their last replies, then closes everything. */
  #close(status: number): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#tellLeaving(null);
    this.#farewell.begin(() => {
      this.#housekeeping.stop();
      clearInterval(this.#resolving);
      this.#closePorts();
      this.#options.onStopped(status);
    });
    this.#farewell.hurry();
  }

  #closePorts(): void {
    this.#clients.stopAccepting();
    this.#clients.closeAll();
    this.#bus.close();
    this.#admin?.close();
  }
}
