import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { missingRedis, RedisServer } from '../support/redis-server.js';
import { encodeCommand } from '../support/resp.js';
import { TestCluster } from '../support/test-cluster.js';

t.setTimeout(120_000);

const BARRIER = 'barrier';

/** A connection all of whose bytes are kept. */
class Line {
  readonly #socket: Socket;
  #bytes = '';
  #came: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.toString('latin1');
      this.#came();
    });
  }

  static async open(t: Test, port: number): Promise<Line> {
    const socket = connect(port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
    return new Line(socket);
  }

  send(args: readonly string[]): void {
    this.#socket.write(encodeCommand(args));
  }

  get port(): number {
    return this.#socket.localPort!;
  }

  /** What has come up to the reply that contains `until`, which is taken out with it. */
  async take(until: string): Promise<string> {
    while (!this.#bytes.includes(until)) await new Promise<void>((come) => (this.#came = come));
    const bytes = this.#bytes;
    this.#bytes = '';
    return bytes.replace(until, '');
  }
}

/** Command lines of connections: "a GET k". "$b" stands for the id of connection b; "quit a" ends one. */
const TRACKED = `
a HELLO 3
b HELLO 2
a CLIENT TRACKINGINFO
a CLIENT GETREDIR
a CLIENT CACHING YES
a CLIENT TRACKING ON
a CLIENT GETREDIR
a CLIENT TRACKINGINFO
a GET k
b SET k 1
b SET k 2
a GET k
a SET k 3
a MGET k l m
b MSET k 1 l 2
b DEL k l m
a GET k
a BLPOP q 0
b SET k 9
b RPUSH q x
b RPUSH p 1
a LRANGE p 0 -1
a BLMOVE q p LEFT LEFT 0
b RPUSH q y
a LRANGE p 0 -1
a BLMOVE q p LEFT LEFT 0
b DEL p
b RPUSH q z
a PING
a HGETALL h
b HSET h f v
a TTL k
b SET k 1
b PEXPIRE k 100000
a GET k
b PEXPIRE k 100000
b PERSIST k
a GET k
b RENAME k j
b FLUSHALL
a FLUSHDB
a MULTI
a GET k
a GET l
a EXEC
b SET l 1
b SET k 1
a EVAL return(redis.call('get',KEYS[1])) 1 k
b SET k 5
a CLIENT CACHING YES
a CLIENT CACHING foo
a CLIENT TRACKING ON BCAST
a CLIENT TRACKING ON OPTIN
a GET k
b SET k 2
a CLIENT CACHING NO
a CLIENT CACHING YES
a CLIENT TRACKINGINFO
a GET k
a CLIENT TRACKINGINFO
b SET k 3
a CLIENT CACHING YES
a MULTI
a GET k
a EXEC
b SET k 4
a CLIENT TRACKING ON OPTOUT
a CLIENT TRACKING OFF
a CLIENT TRACKING ON OPTOUT NOLOOP
a CLIENT CACHING NO
a CLIENT TRACKINGINFO
a GET k
b SET k 5
a GET k
a SET k 6
a GET k
b SET k 7
a CLIENT TRACKING OFF
a CLIENT TRACKING ON PREFIX a
a CLIENT TRACKING ON BCAST OPTIN
a CLIENT TRACKING ON OPTIN OPTOUT
a CLIENT TRACKING ON BCAST PREFIX a PREFIX ab
a CLIENT TRACKING ON BCAST PREFIX a: PREFIX b: NOLOOP
a CLIENT TRACKING ON BCAST PREFIX a:x
a CLIENT TRACKING ON BCAST PREFIX c: NOLOOP
a CLIENT TRACKINGINFO
b MSET a:1 1 b:1 1 d:1 1
b SET c:1 1
a SET c:1 1
b FLUSHALL
a FLUSHDB
a CLIENT TRACKING ON
a CLIENT TRACKING OFF
a CLIENT TRACKINGINFO
a CLIENT TRACKING
a CLIENT TRACKING foo
a CLIENT TRACKING ON foo
a CLIENT TRACKING ON REDIRECT
a CLIENT TRACKING ON REDIRECT x
a CLIENT TRACKING ON REDIRECT 99999
a CLIENT TRACKING ON REDIRECT $c REDIRECT $c
b CLIENT TRACKING ON REDIRECT $c
c SUBSCRIBE __redis__:invalidate
b GET k
a SET k 1
a FLUSHALL
b CLIENT GETREDIR
b CLIENT TRACKING OFF
a CLIENT TRACKING ON REDIRECT $c
a GET k
b SET k 2
quit c
a CLIENT TRACKINGINFO
a GET k
b SET k 3
a CLIENT TRACKINGINFO
a CLIENT TRACKING ON
a CLIENT TRACKINGINFO
a GET k
a RESET
a CLIENT TRACKINGINFO
b SET k 4
`;

/** A script that is watched by MONITOR on connection m. */
const MONITORED = `
a HELLO 3
m MONITOR
m MONITOR
a SET k "v\\x00\\xff\\n'
a get k
a AUTH x
a AUTH default x
a HELLO 3 AUTH default secret SETNAME n
a CONFIG GET maxmemory
a foo bar
a GET
a SELECT 3
a PING
a MULTI
a SET k 1
a GET k
a EXEC
a EVAL return(redis.call('set',KEYS[1],ARGV[1])) 1 k v
a SUBSCRIBE c
a UNSUBSCRIBE c
m RESET
a PING
`;

async function play(t: Test, port: number, script: string): Promise<string[]> {
  const lines = new Map<string, Line>();
  const ids = new Map<string, string>();
  for (const name of 'abcm') {
    const line = await Line.open(t, port);
    lines.set(name, line);
    line.send(['CLIENT', 'ID']);
    line.send(['PING', 'first']);
    ids.set(name, /^:(\d+)/.exec(await line.take('$5\r\nfirst\r\n'))![1]!);
  }
  const heard: string[] = [];
  /** Has queued commands, or waits: it answers later. */
  let silent = '';
  for (const text of script.trim().split('\n')) {
    const [name, ...words] = text.split(' ');
    if (name === 'quit') {
      lines.get(words[0]!)!.send(['QUIT']);
      await lines.get(words[0]!)!.take('+OK\r\n');
      lines.delete(words[0]!);
      continue;
    }
    lines.get(name!)!.send(words.map((word) => (word.startsWith('$') ? ids.get(word[1]!)! : word)));
    if (words[0] === 'MULTI' || words[0]?.startsWith('BL')) silent = name!;
    if (words[0] === 'EXEC' || /^b RPUSH q/.test(text)) silent = '';
    const before = heard.length;
    // Who was told has been told before all connections have answered, twice around.
    for (let round = 0; round < 2; round++) {
      for (const [of, line] of lines) {
        if (of === silent) continue;
        line.send(['PING', BARRIER]);
        const answer = await line.take(`$${BARRIER.length}\r\n${BARRIER}\r\n`);
        const bytes = answer
          .replace('*2\r\n$4\r\npong\r\n', '')
          .replace(/\+\d+\.\d{6} /g, '+TIME ')
          .replace(/\+TIME \[\S+ \S+\] "PING" "barrier"\r\n/g, '');
        if (bytes !== '') heard.push(`${text}: ${of} hears ${JSON.stringify(bytes)}`);
      }
    }
    if (heard.length === before) heard.push(`${text}: nobody hears anything`);
    // Whether it reaches one connection before another is left open.
    heard.push(...heard.splice(before).sort());
  }
  return heard.map((line) => {
    let shown = line;
    for (const [name, id] of ids) {
      shown = shown
        .replace(
          new RegExp(`((id|redirect|redir-broken)\\\\r\\\\n|GETREDIR.*):${id}\\\\r`),
          `$1:<${name}>\\r`,
        )
        .replaceAll(` 127.0.0.1:${lines.get(name)?.port}]`, ` ${name}]`);
    }
    return shown;
  });
}

const missing = missingRedis();

for (const [what, script] of [
  ['client-side caching', TRACKED],
  ['MONITOR', MONITORED],
] as const) {
  t.test(
    `${what}: all connections hear what they would of Redis`,
    { skip: missing ?? false },
    async (t) => {
      const redis = await RedisServer.start();
      t.teardown(() => redis.stop());
      const { nodes } = await TestCluster.start(t, 1);
      t.same(await play(t, nodes[0]!.port, script), await play(t, redis.port, script));
    },
  );
}

t.test(
  'a table of keys that is made smaller loses what is too much, and its readers hear of it',
  async (t) => {
    const { nodes } = await TestCluster.start(t, 1);
    const [reader, other] = await Promise.all([
      Line.open(t, nodes[0]!.port),
      Line.open(t, nodes[0]!.port),
    ]);
    reader.send(['HELLO', '3']);
    reader.send(['CLIENT', 'TRACKING', 'ON']);
    const many = Array.from({ length: 500 }, (_, i) => `k${i}`);
    reader.send(['MGET', ...many, 'first', 'second', 'third']);
    reader.send(['ECHO', 'read']);
    await reader.take('$4\r\nread\r\n');
    other.send(['CONFIG', 'SET', 'tracking-table-max-keys', '1']);
    await other.take('+OK\r\n');
    // The oldest first: all but the last one.
    const heard = await reader.take('$6\r\nsecond\r\n');
    t.equal(heard.split('invalidate').length - 1, many.length + 2);
  },
);
