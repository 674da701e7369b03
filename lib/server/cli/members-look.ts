import type { Redis } from 'ioredis';
import { type Access, clientOf } from './asking.js';
import {
  type MemberStatus,
  memberStatus,
  type NodeLine,
  parseClusterNodes,
  parseInfo,
} from './show-status.js';

/** A member with what changes from one look to the next. */
export interface MemberFigures extends MemberStatus {
  readonly view: number | null;
  readonly clients: number | null;
  /** Milliseconds until a PING came back. */
  readonly pingMs: number | null;
}

interface Place {
  readonly host: string;
  readonly port: number;
}

interface Connection {
  readonly client: Redis;
  /** Why it is none: what is asked of it says only that it is closed. */
  failure: Error | null;
}

/** Looks at all members again and again, over one connection to each. */
export class MembersLook {
  readonly #access: Access;
  readonly #connections = new Map<string, Connection>();
  /** Who is asked for the members: the one that answered last first, then those that it knew. */
  #known: readonly Place[];

  constructor(host: string, port: number, access: Access) {
    this.#known = [{ host, port }];
    this.#access = access;
  }

  close(): void {
    for (const { client } of this.#connections.values()) client.disconnect();
    this.#connections.clear();
  }

  /**
   * All members, in the order of their addresses. When the member that was asked so far is gone, another one of those that it
   * knew is asked from then on. Throws when none answers.
   */
  async look(): Promise<MemberFigures[]> {
    const nodes = await this.#nodes();
    const figures = await Promise.all(nodes.map((node) => this.#figuresOf(node)));
    return figures.sort((a, b) => a.address.localeCompare(b.address, 'en', { numeric: true }));
  }

  async #nodes(): Promise<NodeLine[]> {
    let failure: unknown;
    for (const place of this.#known) {
      const connection = this.#connection(place);
      try {
        const nodes = parseClusterNodes(String(await connection.client.cluster('NODES')));
        this.#known = [place, ...nodes];
        this.#forgetOthers();
        return nodes;
      } catch (error) {
        failure ??= connection.failure ?? error;
      }
    }
    throw failure;
  }

  async #figuresOf(node: NodeLine): Promise<MemberFigures> {
    const silent = { ...memberStatus(node, null), view: null, clients: null, pingMs: null };
    if (node.port === 0) return silent;
    try {
      const { client } = this.#connection(node);
      const facts = parseInfo(await client.info('everything'));
      const since = performance.now();
      await client.ping();
      return {
        ...memberStatus(node, facts),
        view: Number(facts.get('view') ?? 0),
        clients: Number(facts.get('connected_clients') ?? 0),
        pingMs: performance.now() - since,
      };
    } catch {
      return silent;
    }
  }

  #connection({ host, port }: Place): Connection {
    const name = `${host}:${port}`;
    const known = this.#connections.get(name);
    if (known !== undefined && known.client.status !== 'end') return known;
    const connection: Connection = { client: clientOf(host, port, this.#access), failure: null };
    connection.client.on('error', (error) => {
      connection.failure ??= error;
    });
    this.#connections.set(name, connection);
    return connection;
  }

  /** Connections of members that are gone. */
  #forgetOthers(): void {
    const kept = new Set(this.#known.map(({ host, port }) => `${host}:${port}`));
    for (const [name, { client }] of this.#connections) {
      if (kept.has(name)) continue;
      client.disconnect();
      this.#connections.delete(name);
    }
  }
}
