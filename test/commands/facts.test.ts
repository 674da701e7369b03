import t from 'tap';
import { createCommandTable } from '../../lib/commands/all-commands.js';
import { TestNode } from '../support/local-services.js';
import { missingRedis, RedisServer, RespConnection } from '../support/redis-server.js';
import type { Reply } from '../support/resp.js';
import { ReplyReader } from '../support/resp.js';

/** Subcommands that Redis 7.0 has not, or has with fewer arguments. */
const OWN = [
  'client|setinfo',
  'client|no-touch',
  'cluster|forget',
  'cluster|locate',
  'cluster|events',
  'cluster|copies',
];
/** Whose answers are the same bytes whatever commands there are. */
const QUESTIONS = [
  ['INFO', 'foo'],
  ['INFO', 'config|foo'],
  ['DOCS', 'foo'],
  ['LIST', 'FILTERBY', 'PATTERN', 'getex'],
  ['LIST', 'FILTERBY', 'MODULE', 'foo'],
  ['LIST', 'FILTERBY', 'ACLCAT', 'foo'],
  ['LIST', 'FILTERBY', 'foo', 'foo'],
  ['LIST', 'FILTERBY', 'PATTERN'],
  ['GETKEYS', 'get', 'a'],
  ['GETKEYS', 'eval', 'return 1', '0'],
  ['GETKEYS', 'eval', 'return 1', 'x', 'a'],
  ['COUNT', 'foo'],
];
const itemsOf = (reply: Reply): readonly Reply[] => ('items' in reply ? reply.items : []);
const textOf = (reply: Reply): string => ('text' in reply ? reply.text : '');

/** Redis lists subcommands in no order of its own, and has more of them: both are sorted, and cut to `known`. */
function sortedInfo(reply: Reply, known: ReadonlySet<string>): unknown {
  const items = itemsOf(reply);
  const subcommands = itemsOf(items[9]!)
    .filter((one) => known.has(textOf(itemsOf(one)[0]!)))
    .map((one) => sortedInfo(one, known))
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return [...items.slice(0, 9), items[9]!.type, subcommands];
}

function sortedDocs(reply: Reply, known: ReadonlySet<string>): unknown {
  const items = [...itemsOf(reply)];
  const fields: unknown[] = [];
  for (let i = 0; i < items.length; i += 2) {
    if (textOf(items[i]!) !== 'subcommands') {
      fields.push(items[i], items[i + 1]);
      continue;
    }
    const subcommands = itemsOf(items[i + 1]!);
    const found: [string, unknown][] = [];
    for (let j = 0; j < subcommands.length; j += 2) {
      const name = textOf(subcommands[j]!);
      if (known.has(name)) found.push([name, sortedDocs(subcommands[j + 1]!, known)]);
    }
    fields.push(items[i], items[i + 1]!.type, Object.fromEntries(found.sort()));
  }
  return [items.length, fields];
}

const missing = missingRedis();

t.test(
  'the facts of all commands are those of Redis 7.0',
  { skip: missing ?? false },
  async (t) => {
    const redis = await RedisServer.start();
    const connection = await RespConnection.open(redis.port);
    t.teardown(async () => {
      connection.close();
      await redis.stop();
    });
    const table = createCommandTable();
    const known = new Set<string>();
    for (const spec of table.commands.values()) {
      known.add(spec.name);
      for (const sub of spec.subcommands?.values() ?? []) known.add(sub.name);
    }
    for (const name of OWN) known.delete(name);
    const node = new TestNode();
    const client = node.connect();
    const ask = (...args: string[]): Reply => {
      const reader = new ReplyReader();
      reader.feed(Buffer.from(node.run(client, ...args), 'latin1'));
      return reader.next()!.reply;
    };
    for (const proto of ['2', '3']) {
      await connection.ask('HELLO', proto);
      node.run(client, 'HELLO', proto);
      for (const words of QUESTIONS) {
        const { bytes } = await connection.ask('COMMAND', ...words);
        t.equal(node.run(client, 'COMMAND', ...words), bytes, words.join(' '));
      }
      for (const name of table.commands.keys()) {
        const info = itemsOf((await connection.ask('COMMAND', 'INFO', name)).reply)[0]!;
        t.same(
          sortedInfo(itemsOf(ask('COMMAND', 'INFO', name))[0]!, known),
          sortedInfo(info, known),
          `COMMAND INFO ${name} in RESP${proto}`,
        );
        const docs = itemsOf((await connection.ask('COMMAND', 'DOCS', name)).reply)[1]!;
        t.same(
          sortedDocs(itemsOf(ask('COMMAND', 'DOCS', name))[1]!, known),
          sortedDocs(docs, known),
          `COMMAND DOCS ${name} in RESP${proto}`,
        );
      }
    }
  },
);

t.test('a whole COMMAND has every command once', async (t) => {
  const node = new TestNode();
  const client = node.connect();
  const reader = new ReplyReader();
  reader.feed(Buffer.from(node.run(client, 'COMMAND'), 'latin1'));
  const names = itemsOf(reader.next()!.reply).map((one) => textOf(itemsOf(one)[0]!));
  t.equal(new Set(names).size, names.length);
  t.equal(node.run(client, 'COMMAND', 'COUNT'), `:${names.length}\r\n`);
});
