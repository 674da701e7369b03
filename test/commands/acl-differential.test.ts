import t, { type Test } from 'tap';
import { createCommandTable } from '../../lib/commands/all-commands.js';
import { otherCommands } from '../../lib/commands/facts/other-commands.js';
import type { CommandSpec } from '../../lib/commands/spec.js';
import { seededRandom } from '../store/seeded-random.js';
import { type FakeClient, TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import { type Reply, ReplyReader } from '../support/resp.js';

const SEED = Number(process.env['SEED'] ?? 1);
const ROUNDS = 60;
/** Commands that are tried with each set of rules. */
const TRIED = 40;

const table = createCommandTable();
/** Commands that Redis 7.0 has too. */
const OWN = [
  'client|setinfo',
  'client|no-touch',
  'cluster|locate',
  'cluster|events',
  'cluster|copies',
  // It may be followed by FORCE.
  'cluster|forget',
];
const SPECS = table.specs.filter(({ run, name }) => run !== null && !OWN.includes(name));

const itemsOf = (reply: Reply): readonly Reply[] => ('items' in reply ? reply.items : []);
const textOf = (reply: Reply): string => ('text' in reply ? reply.text : '');

const missing = missingRedis();

/** The same clients of both servers: each is asked the same. */
class Pair {
  readonly #t: Test;
  readonly #redis: RespConnection;
  readonly #node: TestNode;
  readonly #client: FakeClient;

  constructor(t: Test, redis: RespConnection, node: TestNode) {
    this.#t = t;
    this.#redis = redis;
    this.#node = node;
    this.#client = node.connect();
    this.#client.authenticated = !node.users.authRequired;
  }

  /** Replies are the same bytes, as long as `shown` makes nothing else of them. */
  async same(words: string, shown: (bytes: string, reply: Reply) => unknown = (bytes) => bytes) {
    return this.sameOf(words.split(' '), shown);
  }

  async sameOf(
    words: readonly string[],
    shown: (bytes: string, reply: Reply) => unknown = (bytes) => bytes,
  ) {
    const theirs = await this.#redis.ask(...words);
    const ours = this.here(...words);
    this.#t.same(shown(ours.bytes, ours.reply), shown(theirs.bytes, theirs.reply), words.join(' '));
    return ours.reply;
  }

  here(...words: string[]): { reply: Reply; bytes: string } {
    const bytes = this.#node.run(this.#client, ...words);
    const reader = new ReplyReader();
    reader.feed(Buffer.from(bytes, 'latin1'));
    return { reply: reader.next()!.reply, bytes };
  }

  there(...words: string[]): Promise<{ reply: Reply; bytes: string }> {
    return this.#redis.ask(...words);
  }
}

async function servers(t: Test, ...options: string[]) {
  const redis = await RedisServer.start(...options);
  t.teardown(() => redis.stop());
  const node = new TestNode();
  const connect = async () => {
    const connection = await RespConnection.open(redis.port);
    t.teardown(() => connection.close());
    return new Pair(t, connection, node);
  };
  return { node, connect };
}

/** What GETUSER says but for the commands, which Redis puts into other words. */
function withoutCommands(_bytes: string, reply: Reply): unknown {
  const shown: unknown[] = [];
  const items = itemsOf(reply);
  for (let i = 0; i < items.length; i += 2) {
    const field = textOf(items[i]!);
    const value = items[i + 1]!;
    if (field === 'selectors') shown.push(itemsOf(value).map((one) => withoutCommands('', one)));
    else if (field !== 'commands') shown.push(field, value);
  }
  return [reply.type, shown];
}

/** Of ACL LOG: all but times and what is known of the client. */
function entries(_bytes: string, reply: Reply): unknown {
  return itemsOf(reply).map((entry) =>
    itemsOf(entry).map((item, i, all) => {
      const field = i % 2 === 1 ? textOf(all[i - 1]!) : '';
      return field === 'age-seconds' || field === 'client-info' ? field : item;
    }),
  );
}

t.test('ACL commands answer as those of Redis', { skip: missing ?? false }, async (t) => {
  const { connect } = await servers(t);
  const pair = await connect();
  const known = new Set(table.specs.map(({ name }) => name));
  const commands = (_bytes: string, reply: Reply) =>
    itemsOf(reply)
      .map(textOf)
      .filter((name) => known.has(name) && !OWN.includes(name))
      .sort();
  for (const proto of ['2', '3']) {
    await pair.there('HELLO', proto);
    pair.here('HELLO', proto);
    await pair.same('ACL WHOAMI');
    await pair.same('ACL USERS');
    await pair.same('ACL LIST');
    await pair.same('ACL HELP');
    for (const category of itemsOf(await pair.same('ACL CAT')).map(textOf)) {
      await pair.same(`ACL CAT ${category}`, commands);
    }
    await pair.same('ACL GETUSER nobody');
    await pair.same('ACL GETUSER default');
    await pair.same('ACL GENPASS', (bytes) => bytes.length);
    for (const bits of ['5', '1', '4096', '4097', '0', '-1', 'x']) {
      await pair.same(`ACL GENPASS ${bits}`, (bytes) =>
        bytes.startsWith('-') ? bytes : bytes.length,
      );
    }
    for (const words of WORDS) await pair.same(words);
    await pair.same('ACL SETUSER u on >pw ~a* %R~b &c (+get ~x %W~y) (&d +set)');
    await pair.same('ACL GETUSER u', withoutCommands);
    await pair.same('ACL DRYRUN u get a1');
    await pair.same('ACL DELUSER u nobody');
  }
});

/** Their replies are the same bytes. */
const WORDS = [
  'ACL',
  'ACL FOO',
  'ACL WHOAMI x',
  'ACL CAT foo',
  'ACL CAT read x',
  'ACL GENPASS 1 2',
  'ACL LOG 1 2',
  'ACL LOG x',
  'ACL LOG',
  'ACL LOG -1',
  'ACL SETUSER',
  'ACL SETUSER a\tb',
  'ACL SETUSER v',
  'ACL GETUSER v',
  'ACL SETUSER v foo',
  'ACL SETUSER v +foo',
  'ACL SETUSER v +@foo',
  'ACL SETUSER v +config|foo',
  'ACL SETUSER v +config|get|x',
  'ACL SETUSER v +select|',
  'ACL SETUSER v -select|0',
  'ACL SETUSER v ~* ~a',
  'ACL SETUSER v &* &a',
  'ACL SETUSER v #x',
  'ACL SETUSER v !x',
  'ACL SETUSER v <x',
  'ACL SETUSER v (+foo)',
  'ACL SETUSER v (on)',
  'ACL SETUSER v %RR~a',
  'ACL SETUSER v on nopass',
  'ACL SETUSER v reset',
  'ACL GETUSER v',
  'ACL LIST',
  'ACL SETUSER v on nopass sanitize-payload ~* &* +@all',
  'ACL LIST',
  'ACL SETUSER v skip-sanitize-payload -@all +get resetkeys resetchannels &a &b %RW~x',
  'ACL LIST',
  'ACL DRYRUN',
  'ACL DRYRUN nobody get a',
  'ACL DRYRUN v foo a',
  'ACL DRYRUN v get',
  'ACL DRYRUN v get x',
  'ACL DRYRUN v get y',
  'ACL DRYRUN v set y 1',
  'ACL DRYRUN v config get x',
  'ACL DRYRUN v publish a x',
  'ACL SETUSER v reset +@all ~a (+@all ~b)',
  'ACL DRYRUN v mget b a',
  'ACL DRYRUN v mget a b c',
  'ACL DELUSER default',
  'ACL DELUSER v default',
  'ACL DELUSER v',
  'ACL LOAD',
  'ACL SAVE',
  'CLIENT KILL USER nobody',
  'AUTH x',
  'AUTH nobody x',
  'AUTH default anything',
  'CONFIG GET acllog-max-len',
  'CONFIG GET acl-pubsub-default',
  'CONFIG GET aclfile',
  'CONFIG GET protected-mode',
  'ACL LOG RESET',
];

t.test(
  'commands that Redis has and Tandis has not may be named',
  { skip: missing ?? false },
  async (t) => {
    const { connect } = await servers(t);
    const pair = await connect();
    const { reply } = await pair.there('COMMAND', 'LIST');
    for (const name of itemsOf(reply).map(textOf)) {
      t.ok(table.byName(name) !== null || otherCommands.has(name), name);
    }
  },
);

/** A command line for a spec: keys and channels from a few, numbers of keys that fit. */
function commandLine(random: () => number, spec: CommandSpec): string[] {
  const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)]!;
  const length = Math.abs(spec.arity) + (spec.arity < 0 ? Math.floor(random() * 4) : 0);
  const words = spec.name.split('|');
  while (words.length < length) words.push(pick(ARGUMENTS));
  // Of PFMERGE without sources Redis checks no key at all, not even the one that is written.
  if (spec.name === 'pfmerge') words.push('a:1');
  const { countedKeys } = spec;
  if (countedKeys !== null) {
    const at = countedKeys.begin + countedKeys.countAt;
    words.length = Math.max(words.length, at + 2);
    for (let i = 0; i < words.length; i++) words[i] ??= pick(ARGUMENTS);
    words[at] = String(1 + Math.floor(random() * (words.length - at - 1)));
  }
  return words;
}

const ARGUMENTS = [
  'a:1',
  'b:1',
  'a:2',
  'x',
  'GET',
  'STORE',
  'LIMIT',
  'u8',
  '0',
  '1',
  'ch:1',
  'ch:*',
];

function ruleFrom(random: () => number): string {
  const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)]!;
  const sign = pick(['+', '+', '-']);
  const spec = SPECS[Math.floor(random() * SPECS.length)]!;
  switch (Math.floor(random() * 8)) {
    case 0:
      return pick(['allkeys', 'resetkeys', '~*']);
    case 1:
      return pick(['allchannels', 'resetchannels', '&ch:*', '&ch:1', '&*']);
    case 2:
    case 3:
      return pick(['~', '%R~', '%W~', '%RW~']) + pick(['a:*', 'b:*', 'a:1', '*', 'x', '[ab]:?']);
    case 4:
      return `${sign}@${pick(CATEGORIES_TRIED)}`;
    case 5:
      return pick(['+@all', '-@all', '+select|0', '+debug|sleep', '+config|get', '-client|kill']);
    default:
      return sign + spec.name;
  }
}

const CATEGORIES_TRIED = [
  'read',
  'write',
  'keyspace',
  'dangerous',
  'admin',
  'fast',
  'slow',
  'list',
  'pubsub',
  'string',
];

t.test(
  'users of random rules may do the same as with Redis',
  { skip: missing ?? false },
  async (t) => {
    const { connect } = await servers(t);
    const pair = await connect();
    const random = seededRandom(SEED);
    const rules = (count: number) => Array.from({ length: count }, () => ruleFrom(random));
    let allowed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      if (round % 4 === 0) await pair.same('ACL SETUSER u reset');
      const selector = random() < 0.3 ? [`(${rules(4).join(' ')})`] : [];
      for (const rule of [...rules(4), ...selector]) await pair.same(`ACL SETUSER u ${rule}`);
      await pair.same('ACL GETUSER u', withoutCommands);
      const line = itemsOf(pair.here('ACL', 'LIST').reply)
        .map(textOf)
        .find((text) => text.startsWith('user u '))!;
      // What describes the user here makes the same user there.
      const made = await pair.there('ACL', 'SETUSER', 'copy', 'reset', ...line.split(' ').slice(2));
      t.equal(made.bytes, '+OK\r\n', line);
      for (let i = 0; i < TRIED; i++) {
        const words = commandLine(random, SPECS[Math.floor(random() * SPECS.length)]!);
        const reply = await pair.sameOf(['ACL', 'DRYRUN', 'u', ...words]);
        if (textOf(reply) === 'OK') allowed++;
        const copied = await pair.there('ACL', 'DRYRUN', 'copy', ...words);
        t.equal(copied.bytes, pair.here('ACL', 'DRYRUN', 'u', ...words).bytes, `${line}: ${words}`);
      }
    }
    t.comment(`SEED=${SEED}: ${allowed} of ${ROUNDS * TRIED} allowed`);
    t.ok(allowed > ROUNDS * 2 && allowed < ROUNDS * (TRIED - 2));
  },
);

const DENIED = [
  'GET a',
  'SET b 1',
  'GET b',
  'SET a 1',
  'SET a 1 GET',
  'MGET b b',
  'DEL a',
  'CONFIG GET x',
  'CONFIG SET maxmemory 0',
  'PUBLISH ch x',
  'PUBLISH other x',
  'SUBSCRIBE other',
  'PSUBSCRIBE ch*',
  'SSUBSCRIBE other',
  'SORT b BY w*',
  'SORT b BY w* GET #',
  'SORT b GET #',
  'SORT b BY nosort',
  'SORT_RO b GET g*',
  'SELECT 0',
  'SELECT 1',
  'EVAL return{KEYS[1]} 1 a',
  'EVAL return{KEYS[1]} 1 b',
  'ACL WHOAMI',
  'ACL LIST',
  'FLUSHALL',
  'DEBUG',
  'FOO',
  'GET',
  'AUTH u wrong',
  'HELLO 2 AUTH u wrong',
  'MULTI',
  'GET b',
  'GET a',
  'EXEC',
  'EXEC',
  'MULTI',
  'WATCH a',
  'AUTH u nope',
  'EXEC',
  'MULTI',
  'SAVE',
  'EXEC',
];

const RULES =
  'on >pw resetkeys ~b %W~w resetchannels &ch -@all +@read +@write +@scripting +@transaction +publish +subscribe +psubscribe +ssubscribe +select|0 +config|get +acl|whoami -flushall';

t.test(
  'refusals are those of Redis, and ACL LOG keeps them',
  { skip: missing ?? false },
  async (t) => {
    const { connect } = await servers(t);
    const [admin, user] = [await connect(), await connect()];
    await admin.same(`ACL SETUSER u ${RULES}`);
    await user.same('AUTH u bad');
    await user.same('AUTH u pw');
    for (const words of DENIED) {
      await user.same(words);
      await admin.same('ACL LOG', entries);
    }
    await admin.same('ACL LOG 3', entries);
    await admin.same('ACL LOG RESET');
    await admin.same('ACL LOG', entries);
  },
);

t.test(
  'rights that are taken away while a transaction waits',
  { skip: missing ?? false },
  async (t) => {
    const { connect } = await servers(t);
    const [admin, user] = [await connect(), await connect()];
    await admin.same('ACL SETUSER u on nopass +@all ~* &*');
    await user.same('AUTH u x');
    for (const rules of ['-get', 'resetkeys', 'resetchannels', '-exec', 'resetkeys ~k']) {
      await admin.same('ACL SETUSER u +@all allkeys allchannels');
      for (const words of ['MULTI', 'GET k', 'PUBLISH c x', 'SET k 1']) await user.same(words);
      await admin.same(`ACL SETUSER u ${rules}`);
      await user.same('EXEC');
      await user.same('PING');
      await admin.same('ACL LOG', entries);
    }
  },
);

/** A script's name and line stand at the end of its errors: not everything there is the same. */
const message = (bytes: string): string => bytes.replace(/ script: .*$/s, '').trimEnd();

t.test('scripts run with the rights of their user', { skip: missing ?? false }, async (t) => {
  const { connect } = await servers(t);
  const [admin, user] = [await connect(), await connect()];
  await admin.same('ACL SETUSER u on nopass +@all -get -config|set resetkeys ~k &c');
  await user.same('AUTH u x');
  for (const script of [
    "return redis.call('get', 'k')",
    "return redis.pcall('get', 'k')",
    "return redis.call('set', 'k', 'v')",
    "return redis.call('set', 'other', 'v')",
    "return redis.call('publish', 'd', 'v')",
    "return redis.call('publish', 'c', 'v')",
    "return redis.acl_check_cmd('set', 'k', 'v')",
    "return {redis.acl_check_cmd('set', 'x', 'v'), redis.acl_check_cmd('get', 'k')}",
    "return {redis.acl_check_cmd('get'), redis.acl_check_cmd('config', 'get', 'x') and 1}",
    "return redis.acl_check_cmd('foo')",
    'return redis.acl_check_cmd()',
    'return redis.acl_check_cmd({})',
  ]) {
    await user.sameOf(['EVAL', script, '0'], message);
    await admin.same('ACL LOG', entries);
  }
});

t.test('who has to authenticate', { skip: missing ?? false }, async (t) => {
  const { connect } = await servers(t);
  const [admin, early] = [await connect(), await connect()];
  for (const words of [
    'CONFIG SET requirepass secret',
    'ACL GETUSER default',
    'AUTH wrong',
    'AUTH secret',
    'AUTH default secret',
    'ACL SETUSER default >other',
    'CONFIG GET requirepass',
  ])
    await admin.same(words);
  await early.same('GET k');
  const late = await connect();
  for (const words of [
    'GET k',
    'ACL WHOAMI',
    'PING',
    'FOO',
    'GET',
    'HELLO 2',
    'RESET',
    'AUTH other',
    'GET k',
    'RESET',
    'GET k',
  ])
    await late.same(words);
  await admin.same('ACL SETUSER default nopass');
  await late.same('GET k');
  await late.same('AUTH any');
  await late.same('AUTH default any');
  await admin.same('ACL SETUSER default off');
  const last = await connect();
  await last.same('GET k');
  await last.same('AUTH default any');
  await late.same('GET k');
  await admin.same('CONFIG SET requirepass secret');
  await last.same('AUTH secret');
});

t.test(
  'clients of a removed user are closed, and subscribers who may not hear any more',
  async (t) => {
    const node = new TestNode();
    const [admin, user, subscriber] = [node.connect(), node.connect(), node.connect()];
    const run = (...words: string[]) => node.run(admin, ...words);
    run('ACL', 'SETUSER', 'u', 'on', 'nopass', '+@all', '~*', '&*');
    for (const client of [user, subscriber]) node.run(client, 'AUTH', 'u', 'x');
    node.run(subscriber, 'SUBSCRIBE', 'news');
    run('ACL', 'SETUSER', 'u', 'resetchannels', '&news');
    t.equal(subscriber.closed, 'no', 'may hear it still');
    run('ACL', 'SETUSER', 'u', '&more');
    run('ACL', 'SETUSER', 'u', 'resetchannels', '&more');
    t.equal(subscriber.closed, 'killed');
    t.equal(user.closed, 'no', 'has not subscribed');
    const another = node.connect();
    node.run(another, 'AUTH', 'u', 'x');
    run('ACL', 'SETUSER', 'u', 'allchannels');
    node.run(another, 'PSUBSCRIBE', 'news*');
    run('ACL', 'SETUSER', 'u', 'resetchannels');
    t.equal(another.closed, 'killed', 'all channels were taken away');
    t.match(run('CLIENT', 'LIST'), /user=default.*\n.*user=u /);
    t.equal(run('CLIENT', 'KILL', 'USER', 'u'), ':1\r\n');
    t.equal(user.closed, 'killed');
    const third = node.connect();
    node.run(third, 'AUTH', 'u', 'x');
    t.equal(node.run(third, 'ACL', 'DELUSER', 'u'), ':1\r\n', 'even its own user');
    t.equal(third.closed, 'after replies');
    t.match(node.run(third, 'GET', 'k'), /^-NOPERM /, 'what it has sent behind that is refused');
  },
);

t.test('what was sent before AUTH runs with the rights that its client had then', async (t) => {
  const node = new TestNode();
  const [admin, client] = [node.connect(), node.connect()];
  node.run(admin, 'ACL', 'SETUSER', 'low', 'on', 'nopass', '+@all', '-get', '~*');
  node.run(client, 'AUTH', 'low', 'x');
  node.local.local = false;
  node.run(client, 'MULTI');
  node.run(client, 'SET', 'k', 'v');
  node.run(client, 'EXEC');
  node.run(client, 'MULTI');
  for (const words of [['RESET'], ['AUTH', 'default', 'x']]) {
    node.run(client, ...words);
    t.equal(client.held.length > 0, true, `${words} waits`);
    t.equal(client.user.name, 'low');
  }
  node.run(admin, 'ACL', 'SETUSER', 'low', '-set');
  node.local.runSubmitted();
  t.match(client.replies(), /\*1\r\n-NOPERM ACLs rules changed/);
  t.equal(client.held.length, 2);
  node.advance(1);
  t.equal(client.replies(), '+RESET\r\n+OK\r\n');
  t.equal(client.user.name, 'default');
});

t.test('ACL LOG counts what is alike, and keeps so many entries', async (t) => {
  const node = new TestNode();
  const [admin, client] = [node.connect(), node.connect()];
  const counts = () => node.users.log.entries.map(({ object, count }) => [object, count]);
  node.run(admin, 'ACL', 'SETUSER', 'u', 'on', 'nopass', '+client|setname', '~*');
  node.run(client, 'AUTH', 'u', 'x');
  node.run(client, 'CLIENT', 'SETNAME', 'me');
  for (const name of ['GET', 'SET', 'GET']) node.run(client, name, 'k', 'v'.repeat(10));
  t.same(counts(), [['set', 1]], 'GET with two arguments is another mistake');
  for (const ms of [0, 60_000, 60_001]) {
    node.advance(ms);
    node.run(client, 'GET', 'k');
  }
  t.same(counts(), [
    ['get', 1],
    ['get', 2],
    ['set', 1],
  ]);
  t.match(node.run(admin, 'ACL', 'LOG', '1'), /age-seconds\r\n\$1\r\n0\r\n.*name=me .* user=u /s);
  node.run(admin, 'CONFIG', 'SET', 'acllog-max-len', '2');
  node.run(client, 'DEL', 'k');
  t.same(counts(), [
    ['del', 1],
    ['get', 1],
  ]);
  node.run(admin, 'ACL', 'SETUSER', 'u', '+get', 'resetkeys');
  node.run(client, 'GET', 'x'.repeat(5000));
  t.equal(node.users.log.entries[0]!.object.length, 1024, 'of a long name the beginning');
});

t.test('no password is kept in SLOWLOG, nor shown by an error of the ACL file', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  node.run(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '0');
  node.run(client, 'ACL', 'SETUSER', 'u', '>hidden', '+@all');
  node.run(client, 'AUTH', 'u', 'hidden');
  node.run(client, 'HELLO', '2', 'AUTH', 'u', 'hidden');
  t.notMatch(node.run(client, 'SLOWLOG', 'GET'), /hidden/);
});

t.test('ACL LOAD takes the whole file or nothing, ACL SAVE writes what LOAD reads', async (t) => {
  const node = new TestNode({ aclfile: 'users.acl' });
  const [admin, kept, changed] = [node.connect(), node.connect(), node.connect()];
  const run = (...words: string[]) => node.run(admin, ...words);
  run('ACL', 'SETUSER', 'kept', 'on', '>one', '+@all', '(~x +get)');
  run('ACL', 'SETUSER', 'changed', 'on', '>two', '+@all');
  node.run(kept, 'AUTH', 'kept', 'one');
  node.run(changed, 'AUTH', 'changed', 'two');
  t.equal(run('ACL', 'SAVE'), '+OK\r\n');
  const before = run('ACL', 'LIST');
  t.equal(run('ACL', 'LOAD'), '+OK\r\n');
  t.equal(run('ACL', 'LIST'), before);
  t.equal(changed.closed, 'no', 'nothing has changed');
  const file = node.aclFile;
  node.aclFile = `${file}user broken +foo\n`;
  t.match(
    run('ACL', 'LOAD'),
    /^-ERR users.acl:4: Error in applying operation '\+foo': .*no change/,
  );
  t.equal(run('ACL', 'LIST'), before);
  node.aclFile = file
    .replace('user changed on', 'user changed off')
    .replace(/^user default.*\n/, '');
  t.equal(run('ACL', 'LOAD'), '+OK\r\n');
  t.equal(changed.closed, 'killed');
  t.equal(kept.closed, 'no');
  t.equal(admin.closed, 'no', 'the default user may do everything where nothing is said of it');
});
