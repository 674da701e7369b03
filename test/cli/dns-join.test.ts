import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { DnsServer } from '../support/dns-server.js';
import { freePorts } from '../support/test-cluster.js';
import { type Run, tandis } from './processes.js';

const NAME = 'tandis-bus.test';
const HOOK = new URL('../support/ask-dns-server.js', import.meta.url).href;
const onLinux = process.platform === 'linux' ? {} : { skip: 'needs 127.0.0.2 and 127.0.0.3' };

/** A pod of its own: all have the same ports, and one name in `join`. */
function startPod(t: Test, dns: DnsServer, host: string, ports: readonly string[]): Run {
  const environment = {
    TEST_DNS_SERVER: dns.address,
    NODE_OPTIONS: `--import=${HOOK}`,
    TANDIS_CONFIG_BIND: host,
    TANDIS_CONFIG_CLUSTER_ANNOUNCE_IP: host,
    TANDIS_CONFIG_CLUSTER_SECRET: 'what only the pods know',
    TANDIS_CONFIG_REQUIREPASS: 'password',
    TANDIS_CONFIG_EXPECT: '2',
  };
  const before = { ...process.env };
  Object.assign(process.env, environment);
  const run = tandis(t, 'server', ...ports);
  for (const name of Object.keys(environment)) delete process.env[name];
  Object.assign(process.env, before);
  return run;
}

t.test(
  'nodes find one another by the records of one name, as they come and go',
  onLinux,
  async (t) => {
    const [port, busPort] = (await freePorts(2)) as [number, number];
    const ports = [
      '--port',
      `${port}`,
      '--cluster-port',
      `${busPort}`,
      '--join',
      `${NAME}:${busPort}`,
    ];
    const dns = await DnsServer.start(t, NAME);
    const clientAt = (host: string): Redis => {
      const client = new Redis({ host, port, password: 'password' });
      client.on('error', () => undefined);
      t.teardown(() => client.disconnect());
      return client;
    };
    const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
    const [a, b, c] = hosts as [string, string, string];

    const first = startPod(t, dns, a, ports);
    await first.printed(/join-waiting/);
    t.notMatch(first.out, /view-installed/, 'the name has no record yet: it waits');
    dns.addresses = [a, b];
    const second = startPod(t, dns, b, ports);
    await Promise.all([first, second].map((run) => run.printed(/view-installed/)));
    t.equal(await clientAt(a).set('key', 'value'), 'OK');
    t.equal(await clientAt(b).get('key'), 'value');

    dns.addresses = hosts;
    const third = startPod(t, dns, c, ports);
    await third.printed(/view-installed/);
    t.match(await clientAt(c).info('tandis'), /^members:3\r$/m);
    t.equal(await clientAt(c).get('key'), 'value');

    const ended = third.ended;
    third.child.kill('SIGTERM');
    t.equal(await ended, 0);
    dns.addresses = [a, c];
    second.child.kill('SIGTERM');
    t.equal(await second.ended, 0);
    const again = startPod(t, dns, c, ports);
    await again.printed(/view-installed/);
    t.equal(
      await clientAt(c).get('key'),
      'value',
      'who is no more in the records is not waited for',
    );
  },
);
