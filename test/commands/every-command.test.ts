import type { Redis } from 'ioredis';
import t from 'tap';
import { clientOf, serves, startNode } from '../cli/processes.js';

/** They end the node or the connection, wait, or say very much: other tests have them. */
const ELSEWHERE =
  /^(command\|docs|shutdown|quit|monitor|debug|reset|b[lrz]\w*|wait|client\|(pause|kill|reply)|p?s?subscribe|ssubscribe|multi)$/;
/** What each is given, none to all of it. */
const ARGUMENTS = [
  ['k', '1', '2', 'x', '3', 'y'],
  ['', '', '', '', ''],
  ['1', 'k', '-1', '*', '0', '9223372036854775807'],
  ['return 1', '0', 'x'.repeat(100), '\xff', '1e400'],
  ...['string', 'hash', 'list', 'set', 'zset'].map((type) => [type, '0', '5', 'a', '1', '-1']),
  ...['hash', 'list', 'set', 'zset'].map((type) => ['2', type, 'zset', '1', '2']),
];

/** One key of each type, as commands have made something else of them. */
async function makeKeys(client: Redis): Promise<void> {
  await client.flushall();
  const key = client.pipeline().set('string', 'value').hset('hash', 'a', '1', 'b', 'x');
  await key.rpush('list', 'a', 'b').sadd('set', 'a', '1').zadd('zset', '1', 'a', '2', 'b').exec();
}

function* wordings(name: string): Generator<string[]> {
  const words = name.split('|');
  yield words;
  for (const given of ARGUMENTS)
    for (let count = 1; count <= given.length; count++) yield [...words, ...given.slice(0, count)];
}

t.test('whatever is asked of a real node, it answers, and lives', async (t) => {
  const { port, run } = await startNode(t);
  const observer = await serves(t, port);
  const commands = (await observer.call('COMMAND', 'LIST')) as string[];
  const docs = (await observer.call('COMMAND', 'DOCS')) as unknown[];
  const subcommands = [...JSON.stringify(docs).matchAll(/"(\w+\|[\w-]+)"/g)].map(
    ([, name]) => name!,
  );
  const names = [...new Set([...commands, ...subcommands])].filter((name) => !ELSEWHERE.test(name));
  t.ok(names.length > 250, `${names.length} commands`);
  let answered = 0;
  for (const name of names) {
    const client = clientOf(t, port);
    await makeKeys(observer);
    const asked = [...wordings(name)].map((words) =>
      client.call(words[0]!, ...words.slice(1)).then(
        () => answered++,
        (error: Error) => {
          if (/closed/i.test(error.message)) t.fail(`${words.join(' ')}: ${error.message}`);
        },
      ),
    );
    await Promise.all(asked);
    client.disconnect();
  }
  t.ok(answered > 200, `${answered} answers that are no errors`);
  t.equal(await observer.ping(), 'PONG');
  t.equal(run.child.exitCode, null);
});
