import { type FakeClient, TestNode } from '../support/local-services.js';
import { RespConnection } from '../support/redis-server.js';
import { ReplyReader } from '../support/resp.js';
import { type Owner, TestCluster } from '../support/test-cluster.js';
import { type Answer, END_TRANSACTION } from './equal-replies.js';
import { KEYS } from './random-commands.js';

/** Commands that are sent on before the first of them is answered. */
const PIPELINE = 20;

/** One of the two that are compared. */
export interface Target {
  readonly can: { readonly swapdb: boolean; readonly gathers: boolean };
  /** So many commands are sent at once; one unless given. */
  readonly pipeline?: number;
  /** What is asked goes through several connections. */
  readonly turns?: boolean;
  ask(...args: string[]): Promise<Answer>;
  /** Asked by another client, of another node where there are several. */
  askAsOther(...args: string[]): Promise<Answer>;
}

/** A Tandis node without cluster and sockets. */
function inProcess(): Target {
  const node = new TestNode();
  node.time = Date.now();
  const askAs =
    (client: FakeClient): Target['ask'] =>
    async (...args) => {
      node.advance(Date.now() - node.time);
      let bytes = node.run(client, ...args);
      for (let i = 0; bytes === '' && i < 10; i++) {
        node.advance(1);
        bytes = client.replies();
      }
      const reader = new ReplyReader();
      reader.feed(Buffer.from(bytes, 'latin1'));
      return reader.next()!;
    };
  return {
    can: { swapdb: true, gathers: true },
    ask: askAs(node.connect()),
    askAsOther: askAs(node.connect()),
  };
}

/** What belongs to a connection has to be told to each. */
const CONNECTION_COMMANDS = ['RESET', 'SELECT', 'HELLO', 'CLIENT', 'AUTH', 'CONFIG'];

/** From the first of these to the end of the transaction a client stays on its connection. */
const BEGIN_TRANSACTION = ['WATCH', 'MULTI'];

/**
 * What is asked at one moment goes through one connection, what is asked next through the next one; a transaction
 * through one.
 */
function inTurns(connections: readonly RespConnection[]): Target['ask'] {
  let turn = 0;
  let open = 0;
  let isTransaction = false;
  return async (...args) => {
    const name = args[0]!.toUpperCase();
    if (open++ === 0 && !isTransaction) turn = (turn + 1) % connections.length;
    isTransaction =
      !END_TRANSACTION.includes(name) && (isTransaction || BEGIN_TRANSACTION.includes(name));
    const isForAll = CONNECTION_COMMANDS.includes(args[0]!.toUpperCase());
    const used = isForAll ? connections : [connections[turn]!];
    try {
      const answers = await Promise.all(used.map((connection) => connection.ask(...args)));
      return answers[0]!;
    } finally {
      open--;
    }
  };
}

async function connected(owner: Owner, port: number): Promise<RespConnection> {
  const connection = await RespConnection.open(port);
  owner.teardown(async () => connection.close());
  return connection;
}

/** Servers behind several connections, and another client of the last of them. */
export async function targetOf(
  owner: Owner,
  ports: readonly number[],
  pipeline = 1,
): Promise<Target> {
  const connections = await Promise.all(ports.map((port) => connected(owner, port)));
  const other = await connected(owner, ports.at(-1)!);
  return {
    can: { swapdb: false, gathers: true },
    turns: ports.length > 1,
    pipeline,
    ask: inTurns(connections),
    askAsOther: (...args) => other.ask(...args),
  };
}

/** Somebody uses one key after the other through these connections, so that keys move all the time. */
function stir(connections: readonly RespConnection[]): () => Promise<void> {
  let isOn = true;
  const loops = connections.map(async (connection, i) => {
    for (let turn = i; isOn; turn++) await connection.ask('STRLEN', KEYS[turn % KEYS.length]!);
  });
  return async () => {
    isOn = false;
    await Promise.all(loops);
  };
}

async function portsOf(owner: Owner, count: number, ...options: string[]): Promise<number[]> {
  const { nodes } = await TestCluster.start(owner, count, ...options);
  return nodes.map((node) => node.port);
}

/** What is compared with Redis, by name; it ends with its owner. */
export const TARGETS: Readonly<Record<string, (owner: Owner) => Promise<Target>>> = {
  'the handlers alone': async () => inProcess(),
  'one node': async (owner) => targetOf(owner, await portsOf(owner, 1)),
  'three nodes, each command through another one': async (owner) =>
    targetOf(owner, await portsOf(owner, 3)),
  'three nodes, in pipelines, while keys move': async (owner) => {
    const ports = await portsOf(owner, 3, '--take-over-after', '1');
    owner.teardown(stir(await Promise.all(ports.map((port) => connected(owner, port)))));
    return targetOf(owner, ports, PIPELINE);
  },
};
