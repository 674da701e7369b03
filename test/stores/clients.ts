import { Redis } from 'ioredis';
import Redis4 from 'ioredis-4';
import { Redis as Redis5 } from 'ioredis-5';
import { createClient } from 'redis';
import { createClient as createClient3 } from 'redis-3';
import { createClient as createClient4 } from 'redis-4';
import { createClient as createClient5 } from 'redis-5';

/** The clients of Node's applications, each made as its documentation says. */

const host = '127.0.0.1';

/** A client that is connected, and how to end it at once, also when its node is dead. */
export interface Connected {
  readonly client: unknown;
  disconnect(): unknown;
}
export type Connect = (port: number) => Promise<Connected>;

/** Errors of connections are told to whoever listens; requests fail of themselves. */
const ignore = () => undefined;

export const redis3: Connect = async (port) => {
  const client = createClient3({ host, port });
  client.on('error', ignore);
  return { client, disconnect: () => client.end(false) };
};
export const redis4: Connect = async (port) => {
  const client = createClient4({ socket: { host, port } });
  client.on('error', ignore);
  await client.connect();
  return { client, disconnect: () => client.disconnect() };
};
export const redis4Legacy: Connect = async (port) => {
  const client = createClient4({ socket: { host, port }, legacyMode: true });
  client.on('error', ignore);
  await client.connect();
  return { client, disconnect: () => client.disconnect() };
};
export const redis5: Connect = async (port) => {
  const client = createClient5({ socket: { host, port } });
  client.on('error', ignore);
  await client.connect();
  return { client, disconnect: () => client.destroy() };
};
export const redis6: Connect = async (port) => {
  const client = createClient({ socket: { host, port } });
  client.on('error', ignore);
  await client.connect();
  return { client, disconnect: () => client.destroy() };
};
const ioredisOf =
  (create: (port: number) => Redis | Redis4 | Redis5): Connect =>
  async (port) => {
    const client = create(port);
    client.on('error', ignore);
    return { client, disconnect: () => client.disconnect() };
  };
export const ioredis4 = ioredisOf((port) => new Redis4({ host, port }));
export const ioredis5 = ioredisOf((port) => new Redis5({ host, port }));
export const ioredis6 = ioredisOf((port) => new Redis({ host, port }));
