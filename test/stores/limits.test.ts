import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { Redis } from 'ioredis';
import { RedisStore } from 'rate-limit-redis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import Redlock from 'redlock';
import t from 'tap';
import { type NodeProcess, TestCluster } from '../support/test-cluster.js';
import { listening } from './listening.js';

/** Limits of requests, and locks: what they count and hold is one for all nodes, and outlives a node. */

const HOUR_MS = 3_600_000;

function clientOf(node: NodeProcess): Redis {
  const client = new Redis({ host: '127.0.0.1', port: node.port });
  client.on('error', () => undefined);
  return client;
}

/** An Express application that allows so many requests in an hour. */
async function limited(client: Redis, limit: number) {
  const app = express();
  const sendCommand = (command: string, ...args: string[]) =>
    client.call(command, ...args) as never;
  const store = new RedisStore({ sendCommand, prefix: 'rl:' });
  app.use(rateLimit({ windowMs: HOUR_MS, limit, store }));
  app.get('/', (_request, response) => response.json({}));
  return listening(app.listen(0, '127.0.0.1'));
}

t.test('limits and locks', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [home, dies] = cluster.nodes as [NodeProcess, NodeProcess];
  const [client, doomed] = [clientOf(home), clientOf(dies)];
  const apps = await Promise.all([limited(client, 3), limited(doomed, 3)]);
  t.teardown(async () => {
    await Promise.all(apps.map((app) => app.close()));
    client.disconnect();
    doomed.disconnect();
  });
  const [here, there] = apps;
  const statusOf = async ({ url }: { url: string }) => (await fetch(url)).status;
  const limiterOf = (storeClient: Redis) =>
    new RateLimiterRedis({ storeClient, points: 3, duration: 3600, keyPrefix: 'rlf' });
  const points = async (limiter: RateLimiterRedis) =>
    limiter.consume('ann').then(
      ({ remainingPoints }) => remainingPoints,
      () => 'refused',
    );
  const limiter = limiterOf(client);
  const otherLimiter = limiterOf(doomed);
  const redlock = new Redlock([client], { retryCount: 0 });
  const otherRedlock = new Redlock([doomed], { retryCount: 0 });

  t.equal(await statusOf(there), 200, 'rate-limit-redis');
  t.equal(await statusOf(here), 200);
  t.equal(await points(otherLimiter), 2, 'rate-limiter-flexible');
  t.equal(await points(limiter), 1);
  const first = await otherRedlock.lock('locks:a', HOUR_MS);
  await t.rejects(redlock.lock('locks:a', HOUR_MS), 'redlock: held');
  await first.extend(HOUR_MS);
  await first.unlock();
  const lock = await redlock.lock('locks:a', HOUR_MS);
  await lock.unlock();
  await otherRedlock.lock('locks:b', HOUR_MS);

  await dies.end('SIGKILL');
  t.equal(await statusOf(here), 200);
  t.equal(await statusOf(here), 429, 'the limit counts what was asked of the dead node');
  t.equal(await points(limiter), 0);
  t.equal(await points(limiter), 'refused');
  await t.rejects(redlock.lock('locks:b', HOUR_MS), 'the lock is held still');
});
