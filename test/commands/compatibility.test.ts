import { readFileSync } from 'node:fs';
import t from 'tap';
import { createCommandTable } from '../../lib/commands/all-commands.js';
import { TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import type { Reply } from '../support/resp.js';

const PAGE = 'docs/compatibility.md';
const page = readFileSync(new URL(PAGE, `file://${process.cwd()}/`), 'utf8');

/** "CLIENT LIST", as the page has it, is "client|list". */
const nameOf = (shown: string): string => shown.toLowerCase().replace(' ', '|');

/** The names in the first column of the tables of one chapter. */
function namesOf(chapter: string): string[] {
  const [, text = ''] = page.split(`\n## ${chapter}\n`);
  const lines = text.split('\n## ')[0]!.split('\n');
  return lines
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => {
      const [cell = ''] = line.slice(2).split(' |');
      return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => nameOf(name!));
    })
    .sort();
}

const leftOut = namesOf('Left out');

/** Names of all commands and subcommands of the table. */
function namesOfTable(): string[] {
  return [...createCommandTable().commands.values()]
    .flatMap(({ name, subcommands }) => [
      name,
      ...[...(subcommands?.values() ?? [])].map((sub) => sub.name),
    ])
    .sort();
}

t.test(`${PAGE} names every command that there is, and no other`, async (t) => {
  t.same(namesOf('Commands'), namesOfTable(), `a row for each command in ${PAGE}, "Commands"`);
});

t.test('what is left out is unknown, in the words of Redis', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const known = new Set(namesOfTable());
  t.ok(leftOut.length > 0);
  for (const name of leftOut) {
    t.notOk(known.has(name), `${name} is there: its row belongs to "Commands"`);
    const [word, sub] = name.split('|') as [string, string?];
    const reply = node.run(client, ...(sub === undefined ? [word, 'a', '1'] : [word, sub, 'a']));
    const expected =
      sub === undefined
        ? `-ERR unknown command '${word}', with args beginning with: 'a' '1' \r\n`
        : `-ERR unknown subcommand '${sub}'. Try ${word.toUpperCase()} HELP.\r\n`;
    t.equal(reply, expected);
  }
});

/** What tools ask, or have done, whatever the server is used for. */
const PROBES = [
  ...['SAVE', 'BGSAVE', 'BGSAVE SCHEDULE', 'BGREWRITEAOF', 'LASTSAVE', 'ROLE', 'WAIT 0 0'],
  ...['MODULE LIST', 'SLOWLOG GET', 'SLOWLOG LEN', 'LATENCY LATEST', 'LATENCY DOCTOR'],
  ...['MEMORY DOCTOR', 'MEMORY STATS', 'MEMORY PURGE', 'CLUSTER INFO', 'CLUSTER NODES'],
  ...['INFO', 'INFO replication', 'INFO persistence', 'INFO everything', 'COMMAND', 'COMMAND DOCS'],
  ...['CONFIG GET save', 'CONFIG GET appendonly', 'CONFIG GET maxmemory-policy', 'CONFIG GET *'],
  ...['CONFIG RESETSTAT', 'CLIENT LIST', 'CLIENT INFO', 'CLIENT ID', 'DEBUG SLEEP 0', 'LOLWUT'],
  ...['READONLY', 'READWRITE', 'TIME', 'DBSIZE', 'RANDOMKEY', 'HELLO 3', 'RESET'],
];

t.test('what tools merely probe is answered, so that they go on', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  for (const probe of PROBES) {
    let reply = node.run(client, ...probe.split(' '));
    for (let i = 0; reply === '' && i < 10; i++) {
      node.advance(1);
      reply = client.replies();
    }
    t.match(reply, /^[+:$*%_=]/, probe);
  }
});

const itemsOf = (reply: Reply): readonly Reply[] => ('items' in reply ? reply.items : []);
const textOf = (reply: Reply): string => ('text' in reply ? reply.text : '');

t.test(
  `${PAGE} says of every command of Redis whether it is there`,
  { skip: missingRedis() ?? false },
  async (t) => {
    const redis = await RedisServer.start();
    const connection = await RespConnection.open(redis.port);
    t.teardown(async () => {
      connection.close();
      await redis.stop();
    });
    const names = itemsOf((await connection.ask('COMMAND', 'LIST')).reply).map(textOf);
    const isLeftOut = (name: string) =>
      leftOut.includes(name) || leftOut.includes(name.split('|')[0]!);
    const known = new Set(namesOfTable());
    t.same(
      names.filter((name) => !known.has(name) && !isLeftOut(name)).sort(),
      [],
      `a row for each in "Commands" or "Left out" of ${PAGE}`,
    );
    t.same(
      leftOut.filter((name) => !names.includes(name)),
      [],
      'only what Redis has can be left out',
    );
  },
);
