import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';

/** Milliseconds that a node has to answer. */
const ANSWER_MS = 2000;

/** How nodes are asked. */
export interface Access {
  /** Whose password it is; empty for the default user. */
  readonly user: string;
  /** Empty for none. */
  readonly password: string;
  /** Undefined for none. */
  readonly tls: ConnectionOptions | undefined;
}

/** A client that gives up instead of trying again, and has so many milliseconds for each answer; it connects when it is told to. */
export function clientOf(
  host: string,
  port: number,
  { user, password, tls }: Access,
  answerMs = ANSWER_MS,
): Redis {
  return new Redis({
    host,
    port,
    ...(password === '' ? {} : { password }),
    ...(user === '' ? {} : { username: user }),
    ...(tls === undefined ? {} : { tls }),
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    connectTimeout: ANSWER_MS,
    commandTimeout: answerMs,
  });
}

/** Asks a node over a connection of its own, which has so many milliseconds for each answer. */
export async function ask<Answer>(
  host: string,
  port: number,
  access: Access,
  question: (client: Redis) => Promise<Answer>,
  answerMs = ANSWER_MS,
): Promise<Answer> {
  const client = clientOf(host, port, access, answerMs);
  // The error that matters is the one that the question ends with.
  let failure: Error | undefined;
  client.on('error', (error) => {
    failure ??= error;
  });
  try {
    await client.connect();
    return await question(client);
  } catch (error) {
    throw failure ?? error;
  } finally {
    client.disconnect();
  }
}
