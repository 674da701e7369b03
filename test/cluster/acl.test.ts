import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { tandis } from '../cli/processes.js';
import { TestCluster } from '../support/test-cluster.js';

const FILE = `user default on nopass ~* &* +@all
user shop on >secret ~sess:* resetchannels -@all +@read +@write -@dangerous +@transaction +@scripting
`;

function aclFile(t: Test, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'acl-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'users.acl');
  writeFileSync(path, text);
  return path;
}

function clientAs(t: Test, port: number, username: string, password: string): Redis {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    username,
    password,
    retryStrategy: null,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => undefined);
  t.teardown(() => client.disconnect());
  return client;
}

t.test('a user may do the same through every node, whoever has the key', async (t) => {
  const { nodes } = await TestCluster.start(t, 2, '--aclfile', aclFile(t, FILE));
  const [here, there] = nodes.map(({ port }) => clientAs(t, port, 'shop', 'secret')) as [
    Redis,
    Redis,
  ];
  for (let i = 0; i < 10; i++) {
    await here.set(`sess:${i}`, 'x');
    t.equal(await there.get(`sess:${i}`), 'x', 'the other node has it');
  }
  await nodes[0]!.client.set('other', 'x');
  for (const client of [here, there]) {
    await t.rejects(client.get('other'), /^NOPERM .* one of the keys/);
    await t.rejects(client.flushall(), /^NOPERM .* 'flushall'/);
    await t.rejects(client.eval("return redis.call('get', KEYS[1])", 1, 'other'), /^NOPERM/);
    t.equal(await client.eval("return redis.call('get', KEYS[1])", 1, 'sess:1'), 'x');
    const results = await client.multi().get('sess:1').set('sess:2', 'y').exec();
    t.same(results, [
      [null, 'x'],
      [null, 'OK'],
    ]);
    await t.rejects(client.multi().get('sess:1').get('other').exec(), /EXECABORT/);
  }
});

t.test(
  'users are those of a node: its file, what is changed there, and LOAD and SAVE',
  async (t) => {
    const path = aclFile(t, FILE);
    const { nodes } = await TestCluster.start(t, 2, '--aclfile', path);
    const [a, b] = nodes.map(({ client }) => client) as [Redis, Redis];
    const [shop, others] = nodes.map(({ port }) => clientAs(t, port, 'shop', 'secret')) as [
      Redis,
      Redis,
    ];
    for (const client of [shop, others]) await client.get('sess:1');
    const closed = new Promise((resolve) => shop.on('end', resolve));
    t.equal(await a.acl('DELUSER', 'shop'), 1);
    await closed;
    t.equal(await others.get('sess:1'), null, 'the other node has not been told');
    const { mode } = statSync(path);
    await a.acl('SETUSER', 'new', 'on', '>pw', '+@all', '~*');
    t.equal(await a.acl('SAVE'), 'OK');
    t.match(readFileSync(path, 'utf8'), /^user new on .*#[0-9a-f]{64} ~\* .*\+@all$/m);
    t.equal(statSync(path).mode, mode, 'as it was');
    const gone = new Promise((resolve) => others.on('end', resolve));
    t.equal(await b.acl('LOAD'), 'OK');
    await gone;
    t.same(await b.acl('USERS'), ['default', 'new']);
    t.equal(await clientAs(t, nodes[1]!.port, 'new', 'pw').ping(), 'PONG');
  },
);

t.test('a node with a wrong ACL file does not start, and says why', async (t) => {
  const path = aclFile(t, `${FILE}user x on +foo\n`);
  for (const [file, error] of [
    [path, `${path}:3: Error in applying operation '\\+foo'`],
    [`${path}.none`, 'No such file or directory'],
  ] as const) {
    const run = tandis(t, 'server', '--port', '0', '--aclfile', file);
    t.not(await run.ended, 0);
    t.match(run.err, new RegExp(error));
  }
});
