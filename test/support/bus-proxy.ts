import { connect, createServer, type Server, Socket } from 'node:net';
import { delay, type NodeProcess } from './test-cluster.js';

/** Nodes listen on 127.0.0.1, and announce this address: what they say to each other comes by here. */
export const PROXY_HOST = '127.0.0.2';

/** The first frame of a bus connection names who dialled; it is all there at once. */
const FROM = /"from":"([0-9a-f]{40})"/;
/** A node that does not say its incarnation within so long is frozen, and dials nobody. */
const ASK_MS = 500;

/** A process that was started is looked at so often until it listens. */
const LOOK_MS = 10;

/** Whether bytes of the first node reach the second one. */
type Carries = (from: NodeProcess, to: NodeProcess) => boolean;

const ALL: Carries = () => true;

interface Wire {
  /** Incarnation that dialled. */
  readonly from: string;
  readonly to: NodeProcess;
  readonly dialler: Socket;
  readonly target: Socket;
  /** Each direction, as it is now. */
  carriesOut: boolean;
  carriesBack: boolean;
}

/**
 * The cables between the buses of nodes. A cut one is silent: connections stay open and carry nothing, new ones are
 * answered by nobody. Like a port of the system's, it refuses connections to a node whose process has ended.
 */
export class BusProxy {
  readonly #nodes: readonly NodeProcess[];
  readonly #servers = new Map<NodeProcess, Server>();
  readonly #sockets = new Set<Socket>();
  readonly #wires = new Set<Wire>();
  /** Every incarnation heard of. */
  readonly #nodeOf = new Map<string, NodeProcess>();
  #carries = ALL;
  #isClosed = false;

  /** To be called before the nodes are started; they must have been told to join at PROXY_HOST, and to announce it. */
  static start(nodes: readonly NodeProcess[]): BusProxy {
    const proxy = new BusProxy(nodes);
    for (const node of nodes) {
      node.events.on('exit', () => proxy.#refuse(node));
      node.events.on('start', () => void proxy.#listen(node));
    }
    return proxy;
  }

  private constructor(nodes: readonly NodeProcess[]) {
    this.#nodes = nodes;
  }

  /** From now on that node and the others do not hear each other. */
  cutOff(node: NodeProcess): Promise<void> {
    return this.#cut((from, to) => from !== node && to !== node);
  }

  /** From now on these two do not hear each other, or with `oneWay` the second does not hear the first. */
  cutLink(one: NodeProcess, other: NodeProcess, oneWay: boolean): Promise<void> {
    return this.#cut(
      (from, to) => !(from === one && to === other) && (oneWay || from !== other || to !== one),
    );
  }

  /** From now on nothing that this node says is heard by `other`, or by anybody. */
  mute(node: NodeProcess, other: NodeProcess | null): Promise<void> {
    return this.#cut((from, to) => from !== node || (other !== null && to !== other));
  }

  /** With `keep` connections go on where they stopped, as after a short cut; else those that were cut are reset. */
  mend({ keep = false } = {}): void {
    this.#carries = ALL;
    for (const wire of this.#wires) {
      if (wire.carriesOut && wire.carriesBack) continue;
      if (keep) this.#adjust(wire);
      else wire.dialler.resetAndDestroy();
    }
  }

  /** Every connection between these two is reset, whatever is on its way. */
  reset(one: NodeProcess, other: NodeProcess): void {
    for (const { from, to, dialler } of this.#wires) {
      const dialled = this.#nodeOf.get(from);
      if ((dialled === one && to === other) || (dialled === other && to === one)) {
        dialler.resetAndDestroy();
      }
    }
  }

  /** Learns which node speaks for which incarnation. */
  async identify(): Promise<void> {
    const running = this.#nodes.filter((node) => node.isRunning);
    await Promise.all(
      running.map(async (node) => {
        const facts = node.facts().catch(() => null);
        const late = new Promise<null>((resolve) => setTimeout(resolve, ASK_MS, null).unref());
        const id = (await Promise.race([facts, late]))?.['node_id'];
        if (id !== undefined) this.#nodeOf.set(id, node);
      }),
    );
  }

  close(): void {
    this.#isClosed = true;
    for (const server of this.#servers.values()) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #listen(node: NodeProcess): Promise<void> {
    const { lives } = node;
    const isThere = (): boolean => !this.#isClosed && node.isRunning && node.lives === lives;
    while (isThere() && !(await isListening(node.busPort))) await delay(LOOK_MS);
    if (!isThere()) return;
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket, node));
    this.#servers.set(node, server);
    server.listen(node.busPort, PROXY_HOST);
  }

  #refuse(node: NodeProcess): void {
    this.#servers.get(node)?.close();
    this.#servers.delete(node);
  }

  async #cut(carries: Carries): Promise<void> {
    await this.identify();
    this.#carries = carries;
    for (const wire of this.#wires) this.#adjust(wire);
  }

  #adjust(wire: Wire): void {
    const from = this.#nodeOf.get(wire.from);
    const out = from === undefined || this.#carries(from, wire.to);
    const back = from === undefined || this.#carries(wire.to, from);
    const { dialler, target } = wire;
    if (out !== wire.carriesOut) out ? dialler.pipe(target) : dialler.unpipe(target).pause();
    if (back !== wire.carriesBack) back ? target.pipe(dialler) : target.unpipe(dialler).pause();
    wire.carriesOut = out;
    wire.carriesBack = back;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #accept(socket: Socket, to: NodeProcess): void {
    this.#keep(socket);
    socket.once('data', async (hello: Buffer) => {
      socket.pause();
      const from = FROM.exec(hello.toString('latin1'))?.[1] ?? '';
      // A node that was left out has become another incarnation: only it can say so.
      if (this.#carries !== ALL && !this.#nodeOf.has(from)) await this.identify();
      if (this.#isClosed || socket.destroyed) return;
      this.#connect(socket, hello, from, to);
    });
  }

  #connect(dialler: Socket, hello: Buffer, from: string, to: NodeProcess): void {
    const target = new Socket({ allowHalfOpen: true });
    this.#keep(target);
    const wire = { from, to, dialler, target, carriesOut: false, carriesBack: false };
    this.#wires.add(wire);
    target.on('close', () => dialler.destroy());
    dialler.on('close', () => {
      this.#wires.delete(wire);
      target.destroy();
    });
    // What was read already goes first whenever the cable carries anything.
    dialler.unshift(hello);
    target.connect(to.busPort, '127.0.0.1');
    this.#adjust(wire);
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
