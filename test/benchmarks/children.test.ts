import { existsSync } from 'node:fs';
import t from 'tap';
import { Child, freePorts } from '../../benchmarks/servers/children.js';
import { untilReady } from '../../benchmarks/servers/server.js';

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const node = (script: string) => new Child(process.execPath, ['-e', script]);

t.test('a server is ended with its directory', async (t) => {
  const child = node('setInterval(() => {}, 1000)');
  t.ok(isAlive(child.pid));
  t.ok(existsSync(child.directory));
  await child.stop();
  t.notOk(isAlive(child.pid));
  t.notOk(existsSync(child.directory));
  await child.stop();
});

t.test('a server that ends before it is ready is an error with its last words', async (t) => {
  const child = node('console.error("no such option"); process.exit(1)');
  const never = () => Promise.resolve(false);
  await t.rejects(untilReady([child], 'tandis', never), /tandis: process ended: no such option/);
  await child.stop();
});

t.test('a command that is not there is an ended server', async (t) => {
  const child = new Child('/nonexistent/redis-server', []);
  const never = () => Promise.resolve(false);
  await t.rejects(untilReady([child], 'redis', never), /redis: process ended: .*ENOENT/);
  await child.stop();
});

t.test('free ports are all different', async (t) => {
  const ports = await freePorts(20);
  t.equal(new Set(ports).size, 20);
  t.ok(ports.every((port) => port > 0));
});
