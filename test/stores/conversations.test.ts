import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { TestCluster } from '../support/test-cluster.js';
import { Conversation } from './conversation.js';

/**
 * Clients and session stores that are not run here: the commands that they send, in their order, and the replies that
 * their code reads. The handshake is held with each of the three nodes, the commands of a session's life go to one after
 * the other.
 */

/** A command, its words divided by blanks, and its reply as `show` writes it. */
type Line = readonly [command: string, reply: string | RegExp];

interface Recorded {
  readonly name: string;
  readonly handshake: readonly Line[];
  readonly life: readonly Line[];
}

const HELLO_3 =
  /^\{"server", "redis", "version", "7\.\d+\.\d+", "proto", :3, "id", :\d+, "mode", "standalone", "role", "master", "modules", \[\]\}$/;
const HELLO_2 =
  /^\["server", "redis", "version", "7\.\d+\.\d+", "proto", :2, "id", :\d+, "mode", "standalone", "role", "master", "modules", \[\]\]$/;
/** What clients try and do without: they look at the first word, and some at "unknown". */
const UNKNOWN = /^-ERR unknown (sub)?command/;
const OK = '+OK';

const lettuce: readonly Line[] = [
  ['HELLO 3', HELLO_3],
  ['CLIENT SETINFO lib-name Lettuce', OK],
  ['CLIENT SETINFO lib-ver 6.5.0', OK],
  ['CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type none', UNKNOWN],
];

const RECORDED: readonly Recorded[] = [
  {
    name: 'Spring Session, RedisSessionRepository, over Lettuce',
    handshake: lettuce,
    life: [
      [
        'HMSET spring:session:sessions:1 creationTime 1 maxInactiveInterval 1800 lastAccessedTime 1',
        OK,
      ],
      ['PEXPIREAT spring:session:sessions:1 4102444800000', ':1'],
      [
        'HGETALL spring:session:sessions:1',
        '{"creationTime", "1", "maxInactiveInterval", "1800", "lastAccessedTime", "1"}',
      ],
      ['EXISTS spring:session:sessions:1', ':1'],
      ['HMSET spring:session:sessions:1 lastAccessedTime 2 sessionAttr:user ann', OK],
      ['RENAME spring:session:sessions:1 spring:session:sessions:2', OK],
      ['EXISTS spring:session:sessions:1', ':0'],
      ['RENAME spring:session:sessions:1 spring:session:sessions:3', '-ERR no such key'],
      [
        'HGETALL spring:session:sessions:2',
        /"lastAccessedTime", "2", "sessionAttr:user", "ann"\}$/,
      ],
      ['DEL spring:session:sessions:2', ':1'],
      ['HGETALL spring:session:sessions:2', '{}'],
    ],
  },
  {
    name: 'Spring Session, RedisIndexedSessionRepository, its keys over Jedis',
    handshake: [
      ['HELLO 2', HELLO_2],
      ['CLIENT SETINFO LIB-NAME jedis', OK],
      ['CLIENT SETINFO LIB-VER 5.2.0', OK],
      ['SELECT 0', OK],
    ],
    life: [
      ['HMSET spring:session:sessions:a creationTime 1', OK],
      ['SADD spring:session:expirations:1 expires:a', ':1'],
      ['PEXPIRE spring:session:expirations:1 2100000', ':1'],
      ['APPEND spring:session:sessions:expires:a ', ':0'],
      ['PEXPIRE spring:session:sessions:expires:a 1800000', ':1'],
      ['PEXPIRE spring:session:sessions:a 2100000', ':1'],
      ['SADD spring:session:index:ann a', ':1'],
      ['SMEMBERS spring:session:index:ann', '["a"]'],
      ['EXISTS spring:session:sessions:expires:a', ':1'],
      ['PERSIST spring:session:sessions:a', ':1'],
      ['ZADD spring:session:sessions:expirations 1 a', ':1'],
      ['ZREVRANGEBYSCORE spring:session:sessions:expirations 5 0 LIMIT 0 100', '["a"]'],
      ['ZREM spring:session:sessions:expirations a', ':1'],
      ['SREM spring:session:index:ann a', ':1'],
      ['SREM spring:session:expirations:1 expires:a', ':1'],
      ['DEL spring:session:sessions:expires:a', ':1'],
      ['DEL spring:session:sessions:a', ':1'],
      ['CONFIG GET notify-keyspace-events', '["notify-keyspace-events", ""]'],
    ],
  },
  {
    name: 'Redisson, Tomcat session manager',
    handshake: [
      ['HELLO 3', HELLO_3],
      ['CLIENT SETNAME app', OK],
      ['CLIENT CAPA redirect', UNKNOWN],
      ['PING', '+PONG'],
      ['INFO replication', /^=txt:# Replication\r\nrole:master\r\nconnected_slaves:\d/],
    ],
    life: [
      ['HMSET redisson:tomcat_session:1 session:isNew false session:isValid true', OK],
      ['HSET redisson:tomcat_session:1 user ann', ':1'],
      ['HMGET redisson:tomcat_session:1 user nothing', '["ann", nil]'],
      ['HKEYS redisson:tomcat_session:1', '["session:isNew", "session:isValid", "user"]'],
      ['HGET redisson:tomcat_session:1 user', '"ann"'],
      ['HGETALL redisson:tomcat_session:1', /^\{"session:isNew", "false"/],
      ['SADD redisson:tomcat_notified_nodes:1 node', ':1'],
      ['RENAME redisson:tomcat_session:1 redisson:tomcat_session:2', OK],
      ['HDEL redisson:tomcat_session:2 user', ':1'],
      ['EXISTS redisson:tomcat_session:2', ':1'],
      ['PUBLISH redisson:tomcat_session_updates gone', ':0'],
      ['DEL redisson:tomcat_session:2 redisson:tomcat_notified_nodes:1', ':2'],
    ],
  },
  {
    name: 'ASP.NET Core, RedisCache over StackExchange.Redis',
    handshake: [
      ['HELLO 2', HELLO_2],
      ['CLIENT SETNAME app', OK],
      ['CLIENT SETINFO lib-name SE.Redis', OK],
      ['CLIENT SETINFO lib-ver 2.8.16', OK],
      ['CLIENT ID', /^:\d+$/],
      ['CONFIG GET timeout', '["timeout", "0"]'],
      ['CONFIG GET replica-read-only', /^\["replica-read-only", "(yes|no)"\]$/],
      ['CONFIG GET databases', '["databases", "16"]'],
      ['SENTINEL MASTERS', UNKNOWN],
      ['INFO replication', /^"# Replication\r\nrole:master\r\n/],
      [
        'INFO server',
        /redis_version:7\.\d+\.\d+\r\n(.*\r\n)*redis_mode:standalone\r\n(.*\r\n)*run_id:[0-9a-f]{40}\r\n/,
      ],
      ['CLUSTER NODES', /^"[0-9a-f]{40} 127\.0\.0\.1:\d+@\d+ /],
      ['GET __Booksleeve_TieBreak', 'nil'],
      ['ECHO \x01\x02\xff unique', '"\x01\x02\xff"'],
    ],
    life: [
      ['HSET app:1 absexp -1 sldexp 12000000000 data \x00\x01\xff', ':3'],
      ['EXPIRE app:1 1200', ':1'],
      ['HMGET app:1 absexp sldexp data', '["-1", "12000000000", "\x00\x01\xff"]'],
      ['HMGET app:1 absexp sldexp', '["-1", "12000000000"]'],
      ['EXPIRE app:1 1200', ':1'],
      ['DEL app:1', ':1'],
      ['HMGET app:1 absexp sldexp data', '[nil, nil, nil]'],
      ['RPUSH DataProtection-Keys <key/>', ':1'],
      ['LRANGE DataProtection-Keys 0 -1', '["<key/>"]'],
      ['ZADD OC:tag GT 5 page', ':1'],
      ['ZSCAN OC:tag 0', '["0", ["page", "5"]]'],
      ['ZREM OC:tag page', ':1'],
      ['DEL DataProtection-Keys', ':1'],
    ],
  },
  {
    name: 'Laravel, sessions in the cache, over phpredis',
    handshake: [['SELECT 1', OK]],
    life: [
      ['GET laravel_cache:sess', 'nil'],
      ['SETEX laravel_cache:sess 7200 s:1', OK],
      ['GET laravel_cache:sess', '"s:1"'],
      ['MGET laravel_cache:sess laravel_cache:none', '["s:1", nil]'],
      ['INCRBY laravel_cache:hits 1', ':1'],
      ['DECRBY laravel_cache:hits 1', ':0'],
      ['SET laravel_cache:lock owner EX 10 NX', OK],
      ['SET laravel_cache:lock other EX 10 NX', 'nil'],
      ['SETNX laravel_cache:lock other', ':0'],
      ['ZADD tag:users:entries 5 sess', ':1'],
      ['ZSCAN tag:users:entries 0 MATCH * COUNT 1000', '["0", ["sess", "5"]]'],
      ['ZREMRANGEBYSCORE tag:users:entries 0 5', ':1'],
      ['DEL laravel_cache:sess laravel_cache:hits laravel_cache:lock', ':3'],
    ],
  },
  {
    name: 'Symfony, sessions and cache, over Predis 3',
    handshake: [
      ['HELLO 2 SETNAME predis', HELLO_2],
      ['CLIENT SETINFO LIB-NAME predis', OK],
      ['CLIENT SETINFO LIB-VER 3.0.0', OK],
      ['INFO Server', /redis_version:7\.\d+\.\d+\r\n/],
      ['INFO Memory', /maxmemory_policy:noeviction\r\n/],
    ],
    life: [
      ['SETEX sf_s1 1440 data', OK],
      ['GET sf_s1', '"data"'],
      ['EXPIRE sf_s1 1440', ':1'],
      ['UNLINK sf_s1', ':1'],
      ['SCAN 0 MATCH sf_* COUNT 1000', /^\["\d+", \[\]\]$/],
    ],
  },
  {
    name: 'Django 4 and later, its own RedisCache over redis-py 5',
    handshake: [
      ['CLIENT SETINFO LIB-NAME redis-py', OK],
      ['CLIENT SETINFO LIB-VER 5.0.8', OK],
    ],
    life: [
      ['SET :1:session data EX 1209600 NX', OK],
      ['SET :1:session other EX 1209600 NX', 'nil'],
      ['GET :1:session', '"data"'],
      ['SET :1:session more EX 1209600', OK],
      ['EXPIRE :1:session 60', ':1'],
      ['PERSIST :1:session', ':1'],
      ['EXISTS :1:session', ':1'],
      ['MGET :1:session :1:none', '["more", nil]'],
      ['SET :1:hits 1 EX 300', OK],
      ['INCRBY :1:hits 1', ':2'],
      ['DEL :1:session :1:hits', ':2'],
    ],
  },
  {
    name: 'Rails, RedisCacheStore, over redis-client',
    handshake: [
      ['HELLO 3', HELLO_3],
      ['CLIENT SETINFO LIB-NAME redis-client', OK],
      ['CLIENT SETINFO LIB-VER 0.22.2', OK],
    ],
    life: [
      ['SET _session_id:2::1 data PX 1800000', OK],
      ['GET _session_id:2::1', '"data"'],
      ['MGET _session_id:2::1 none', '["data", nil]'],
      ['SET _session_id:2::1 other NX PX 1800000', 'nil'],
      ['INCRBY hits 1', ':1'],
      ['EXPIRE hits 60 NX', ':1'],
      ['EXPIRE hits 90 NX', ':0'],
      ['GETDEL hits', '"1"'],
      ['UNLINK _session_id:2::1', ':1'],
      ['GET _session_id:2::1', 'nil'],
    ],
  },
];

const wordsOf = (command: string): string[] =>
  command.startsWith('ECHO ') ? ['ECHO', '\x01\x02\xff'] : command.split(' ');

async function hold(t: Test, conversation: Conversation, [command, reply]: Line): Promise<void> {
  const got = await conversation.ask(wordsOf(command));
  if (typeof reply === 'string') t.equal(got, reply, command);
  else t.match(got, reply, command);
}

t.test('recorded conversations', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  for (const { name, handshake, life } of RECORDED) {
    await t.test(name, async (t) => {
      const open = cluster.nodes.map(({ port }) => Conversation.open(port));
      const conversations = await Promise.all(open);
      t.teardown(() => {
        for (const conversation of conversations) conversation.close();
      });
      for (const conversation of conversations) {
        for (const line of handshake) await hold(t, conversation, line);
      }
      let turn = 0;
      for (const line of life) await hold(t, conversations[turn++ % conversations.length]!, line);
    });
  }

  await t.test('Spring Session, RedisIndexedSessionRepository: events of keys', async (t) => {
    const [first, second, third] = await Promise.all(
      cluster.nodes.map(({ port }) => Conversation.open(port)),
    );
    t.teardown(() => {
      for (const conversation of [first!, second!, third!]) conversation.close();
    });
    t.equal(await first!.ask(['CONFIG', 'SET', 'notify-keyspace-events', 'Egx']), OK);
    const get = ['CONFIG', 'GET', 'notify-keyspace-events'];
    t.equal(await second!.ask(get), '["notify-keyspace-events", "gxE"]', 'of all nodes');
    const channels = ['__keyevent@0__:del', '__keyevent@0__:expired'];
    t.equal(
      await first!.ask(['SUBSCRIBE', ...channels]),
      '["subscribe", "__keyevent@0__:del", :1]',
    );
    t.equal(await first!.next(), '["subscribe", "__keyevent@0__:expired", :2]');
    const key = 'spring:session:sessions:expires:a';
    t.equal(await second!.ask(['APPEND', key, '']), ':0');
    t.equal(await third!.ask(['DEL', key]), ':1');
    t.equal(await first!.next(), `["message", "__keyevent@0__:del", "${key}"]`);
    t.equal(await second!.ask(['SET', key, '', 'PX', '100']), OK);
    t.equal(await first!.next(), `["message", "__keyevent@0__:expired", "${key}"]`);
  });

  await t.test('transactions: scs over redigo, redis-rack, Django, Laravel', async (t) => {
    const conversation = await Conversation.open(cluster.nodes[1]!.port);
    t.teardown(() => conversation.close());
    const lines: readonly Line[] = [
      ['MULTI', OK],
      ['SET scs:session:1 data', '+QUEUED'],
      ['PEXPIREAT scs:session:1 4102444800000', '+QUEUED'],
      ['EXEC', '[+OK, :1]'],
      ['MULTI', OK],
      ['SETNX rack:session:1 data', '+QUEUED'],
      ['EXPIRE rack:session:1 1800', '+QUEUED'],
      ['EXEC', '[:1, :1]'],
      ['MULTI', OK],
      ['MSET django:1 a django:2 b', '+QUEUED'],
      ['EXPIRE django:1 300', '+QUEUED'],
      ['EXPIRE django:2 300', '+QUEUED'],
      ['EXEC', '[+OK, :1, :1]'],
      ['MULTI', OK],
      ['SETEX laravel_cache:1 60 a', '+QUEUED'],
      ['NOSUCHCOMMAND', UNKNOWN],
      ['EXEC', '-EXECABORT Transaction discarded because of previous errors.'],
      ['WATCH scs:session:1', OK],
      ['UNWATCH', OK],
      ['MULTI', OK],
      ['DISCARD', OK],
      ['DEL scs:session:1 rack:session:1 django:1 django:2 laravel_cache:1', ':4'],
    ];
    for (const line of lines) await hold(t, conversation, line);
  });

  await t.test('scripts: locks of Laravel and Symfony, expiry of Redisson', async (t) => {
    const [first, second] = await Promise.all(
      cluster.nodes.map(({ port }) => Conversation.open(port)),
    );
    t.teardown(() => {
      for (const conversation of [first!, second!]) conversation.close();
    });
    // Written anew: what each of theirs calls, and gives back.
    const release =
      "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('del', KEYS[1])";
    const extend =
      "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('PEXPIRE', KEYS[1], ARGV[2])";
    const expire =
      "local set = 0 for i = 1, #KEYS do set = math.max(set, redis.call('pexpire', KEYS[i], ARGV[1])) end return set";
    t.equal(await first!.ask(['SET', 'lock', 'ann', 'EX', '10', 'NX']), OK);
    t.equal(await second!.ask(['EVAL', release, '1', 'lock', 'bob']), ':0');
    t.equal(await second!.ask(['EVAL', extend, '1', 'lock', 'ann', '60000']), ':1');
    const sha = createHash('sha1').update(release).digest('hex');
    t.equal(await first!.ask(['EVALSHA', sha, '1', 'lock', 'ann']), ':1');
    t.match(await first!.ask(['EVALSHA', 'f'.repeat(40), '1', 'lock']), /^-NOSCRIPT /);
    t.equal(await first!.ask(['HSET', 'redisson:tomcat_session:3', 'user', 'ann']), ':1');
    const names = ['redisson:tomcat_session:3', 'redisson:tomcat_notified_nodes:3'];
    t.equal(await second!.ask(['EVAL', expire, '2', ...names, '1800000']), ':1');
    t.match(await first!.ask(['PTTL', names[0]!]), /^:1[78]\d{5}$/);
    t.equal(await first!.ask(['DEL', ...names]), ':1');
  });

  await t.test('Lettuce and Jedis: fallbacks and subscriptions', async (t) => {
    const [first, second] = cluster.nodes;
    const subscriber = await Conversation.open(first!.port);
    const publisher = await Conversation.open(second!.port);
    t.teardown(() => {
      subscriber.close();
      publisher.close();
    });
    t.equal(await publisher.ask(['HELLO', '4']), '-NOPROTO unsupported protocol version');
    t.match(await publisher.ask(['AUTH', 'secret']), /^-ERR AUTH <password> called without any/);
    t.match(await publisher.ask(['HELLO', '3', 'AUTH', 'default', 'any']), HELLO_3);
    t.match(
      await publisher.ask(['EVALSHA_NONE', 'x']),
      /^-ERR unknown command 'EVALSHA_NONE', with args beginning with: 'x' $/,
    );
    t.match(await subscriber.ask(['HELLO', '3']), HELLO_3);
    const channel = '__Booksleeve_MasterChanged';
    t.equal(await subscriber.ask(['SUBSCRIBE', channel]), `>["subscribe", "${channel}", :1]`);
    const pattern = 'spring:session:event:0:created:*';
    t.equal(await subscriber.ask(['PSUBSCRIBE', pattern]), `>["psubscribe", "${pattern}", :2]`);
    t.equal(await publisher.ask(['PUBLISH', 'spring:session:event:0:created:1', 'data']), ':1');
    const message = `>["pmessage", "${pattern}", "spring:session:event:0:created:1", "data"]`;
    t.equal(await subscriber.next(), message);
    t.equal(await subscriber.ask(['GET', 'anything']), 'nil', 'RESP3: commands while subscribed');
  });
});
