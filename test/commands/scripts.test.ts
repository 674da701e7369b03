import t from 'tap';
import { type FakeClient, TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import { LIBRARY_SCRIPTS, SCRIPT_COMMANDS, SCRIPTS } from './script-cases.js';

const UNLOCK =
  'if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end';
const EXTEND =
  'if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("pexpire",KEYS[1],ARGV[2]) else return 0 end';
const ADD = "return redis.call('exists',KEYS[1])<1 and redis.call('setex',KEYS[1],ARGV[2],ARGV[1])";
const LIMIT = `
  local ttl = redis.call('PTTL', KEYS[1])
  if ttl <= 0 then
    redis.call('SET', KEYS[1], 1, 'PX', ARGV[1])
    return {1, tonumber(ARGV[1])}
  end
  return {redis.call('INCR', KEYS[1]), ttl > 0 and 1 or 0}`;
const SESSION = `
  local locked = redis.call('SETNX', KEYS[1], ARGV[1])
  local data = redis.call('GET', KEYS[2])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  return {ARGV[1], data, locked == 1, false, true}`;
const EXPIRE_ALL = `
  local n = 0
  for j = 1, #KEYS do n = n + redis.call('pexpire', KEYS[j], ARGV[1]) end
  return n`;
const SYMFONY = `
  redis.replicate_commands()
  if redis.call('TYPE', KEYS[1]).ok == 'string' then return redis.error_reply('LOCK is a string') end
  redis.call('ZADD', KEYS[1], 5, ARGV[1])
  local ok = pcall(redis.call, 'UNLINK', KEYS[2])
  return {ok, redis.call('ZSCORE', KEYS[1], ARGV[1]), math.floor(2.7), ARGV[1]:byte(1)}`;

/** What locks, rate limiters and session stores send. */
const USED: readonly (readonly string[])[] = [
  ['SET', 'lock', 'token'],
  ['EVAL', UNLOCK, '1', 'lock', 'other'],
  ['EVAL', EXTEND, '1', 'lock', 'token', '10000'],
  ['EVAL', UNLOCK, '1', 'lock', 'token'],
  ['EVAL', UNLOCK, '1', 'lock', 'token'],
  ['EVALSHA', 'b70c2384248f88e6b75b9f89241a180f856ad852', '1', 'lock', 'token'],
  ['EVAL', ADD, '1', 'added', 'value', '100'],
  ['EVAL', ADD, '1', 'added', 'value', '100'],
  ['EVAL', LIMIT, '1', 'rate', '60000'],
  ['EVAL', LIMIT, '1', 'rate', '60000'],
  ['EVAL', SESSION, '2', 'session-lock', 'session-data', 'id', '30'],
  ['EVAL', SESSION, '2', 'session-lock', 'session-data', 'id', '30'],
  ['EVAL', EXPIRE_ALL, '3', 'rate', 'none', 'added', '5000'],
  ['EVAL', SYMFONY, '2', 'zlock', 'none', '\0bytes'],
  ['EVAL', SYMFONY, '2', 'added', 'none', 'x'],
  ['GET', 'added'],
  ['ZRANGE', 'zlock', '0', '-1'],
];

const missing = missingRedis();

t.test('scripts answer as those of Redis do', { skip: missing ?? false }, async (t) => {
  const redis = await RedisServer.start();
  const connection = await RespConnection.open(redis.port);
  t.teardown(async () => {
    connection.close();
    await redis.stop();
  });
  const node = new TestNode();
  const client = node.connect();
  const alone = [...SCRIPTS, ...LIBRARY_SCRIPTS].map((script) => ['EVAL', script, '0']);
  for (const proto of ['2', '3']) {
    await connection.ask('HELLO', proto);
    node.run(client, 'HELLO', proto);
    for (const command of [['FLUSHALL'], ...USED, ...alone, ...SCRIPT_COMMANDS]) {
      const { bytes } = await connection.ask(...command);
      const found = node.run(client, ...command.map((word) => Buffer.from(word, 'utf8')));
      t.equal(found, bytes, `RESP${proto}: ${command.join(' ').slice(0, 200)}`);
    }
  }
});

t.test('math.random draws the numbers that Redis draws', { skip: missing ?? false }, async (t) => {
  const redis = await RedisServer.start();
  const connection = await RespConnection.open(redis.port);
  t.teardown(async () => {
    connection.close();
    await redis.stop();
  });
  const node = new TestNode();
  const client = node.connect();
  for (const script of [
    'return {tostring(math.random()), math.random(10), math.random(5, 9)}',
    'return math.random(1000)',
    'math.randomseed(5) return {math.random(100), math.random(100)}',
    'math.randomseed(-5.5) return math.random(100)',
    'return math.random(0)',
    'return math.random(1, 2, 3)',
  ]) {
    const { bytes } = await connection.ask('EVAL', script, '0');
    t.equal(node.run(client, 'EVAL', script, '0'), bytes, script);
  }
});

t.test('no script changes what the next one finds', async (t) => {
  const node = new TestNode();
  const client: FakeClient = node.connect();
  for (const attempt of [
    'string.format = nil',
    'rawset(string, "format", nil)',
    'rawset(_G, "redis", nil)',
    'setmetatable(_G, nil)',
    'getmetatable("").__index = nil',
    'setmetatable(string, {})',
    'math.random = function() return 1 end',
    'collectgarbage("stop")',
    'redis.call = nil',
  ]) {
    node.run(client, 'EVAL', attempt, '0');
    t.equal(
      node.run(
        client,
        'EVAL',
        'return string.format("%d", 3) .. type(redis.call) .. ("x"):rep(2)',
        '0',
      ),
      '$11\r\n3functionxx\r\n',
      attempt,
    );
  }
  t.match(node.run(client, 'EVAL', 'return loadstring("\\27Lua")', '0'), /^\$-1/);
});

t.test('a script that never ends, or takes all memory, is ended by itself', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  for (const endless of [
    'while true do end',
    'while true do pcall(function() while true do end end) end',
    'local function f() return f() end f()',
    'return string.gsub(string.rep("x", 1e6), ".", function() while true do end end)',
    'coroutine.wrap(function() while true do end end)()',
  ]) {
    t.match(node.run(client, 'EVAL', endless, '0'), /^-ERR Script ran for too long/, endless);
  }
  for (const greedy of [
    'local t = {} while true do t[#t + 1] = string.rep("x", 1e6) .. #t end',
    'return string.rep("x", 1e9)',
    'local s = "x" while true do s = s .. s end',
  ]) {
    t.match(
      node.run(client, 'EVAL', greedy, '0'),
      /^-ERR .*(not enough memory|ran for too long)/,
      greedy,
    );
  }
  t.equal(node.run(client, 'EVAL', 'return 1', '0'), ':1\r\n');
});
