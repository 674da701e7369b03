import { once } from 'node:events';
import { createServer, type Server, Socket } from 'node:net';
import type { NodeProcess } from './test-cluster.js';

/** Nodes listen on 127.0.0.1, and announce this address: what they say to each other comes by here. */
export const PROXY_HOST = '127.0.0.2';

/** The first frame of a bus connection names who dialled; it is all there at once. */
const FROM = /"from":"([0-9a-f]{40})"/;

interface Wire {
  /** Incarnation that dialled. */
  readonly from: string;
  readonly to: NodeProcess;
  readonly ends: readonly [Socket, Socket];
}

/**
 * The cables between the buses of nodes. A cut one is silent: connections stay open and carry nothing, new ones are
 * answered by nobody. When it is mended, what was cut is reset.
 */
export class BusProxy {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #wires = new Set<Wire>();
  #cutOff: { readonly node: NodeProcess; readonly id: string } | null = null;

  /** Before the nodes are started; they must have been told to join at PROXY_HOST, and to announce it. */
  static async start(nodes: readonly NodeProcess[]): Promise<BusProxy> {
    const proxy = new BusProxy();
    for (const node of nodes) {
      const server = createServer({ allowHalfOpen: true }, (socket) => proxy.#accept(socket, node));
      server.listen(node.busPort, PROXY_HOST);
      await once(server, 'listening');
      proxy.#servers.push(server);
    }
    return proxy;
  }

  /** From now on that node and the others do not hear each other. */
  async cutOff(node: NodeProcess): Promise<void> {
    this.#cutOff = { node, id: (await node.facts())['node_id']! };
    for (const wire of this.#wires) {
      if (!this.#isCut(wire)) continue;
      const [one, other] = wire.ends;
      one.unpipe(other).pause();
      other.unpipe(one).pause();
    }
  }

  mend(): void {
    const cut = [...this.#wires].filter((wire) => this.#isCut(wire));
    this.#cutOff = null;
    for (const { ends } of cut) for (const end of ends) end.destroy();
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #isCut({ from, to }: Wire): boolean {
    return this.#cutOff !== null && (from === this.#cutOff.id || to === this.#cutOff.node);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #accept(socket: Socket, to: NodeProcess): void {
    this.#keep(socket);
    socket.once('data', (hello: Buffer) => {
      const from = FROM.exec(hello.toString('latin1'))?.[1] ?? '';
      const onward = new Socket({ allowHalfOpen: true });
      this.#keep(onward);
      onward.on('close', () => socket.destroy());
      const wire: Wire = { from, to, ends: [socket, onward] };
      this.#wires.add(wire);
      socket.on('close', () => {
        this.#wires.delete(wire);
        onward.destroy();
      });
      if (this.#isCut(wire)) {
        socket.pause();
        return;
      }
      onward.connect(to.busPort, '127.0.0.1');
      onward.write(hello);
      socket.pipe(onward).pipe(socket);
    });
  }
}
