import t from 'tap';
import { clientOf, serves, startNode } from '../cli/processes.js';

/** They end the node or the connection, or wait: other tests have them. */
const ELSEWHERE =
  /^(shutdown|quit|monitor|debug|reset|b[lrz]\w*|wait|client\|(pause|kill|reply)|p?s?subscribe|ssubscribe|multi)$/;
/** What each is given, none to all of it. */
const ARGUMENTS = [
  ['k', '1', '2', 'x', '3', 'y'],
  ['', '', '', '', ''],
  ['1', 'k', '-1', '*', '0', '9223372036854775807'],
  ['return 1', '0', 'x'.repeat(100), '\xff', '1e400'],
];

function* wordings(name: string): Generator<string[]> {
  for (const given of ARGUMENTS)
    for (let count = 0; count <= given.length; count++)
      yield [...name.split('|'), ...given.slice(0, count)];
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
    for (const words of wordings(name)) {
      await client.call(words[0]!, ...words.slice(1)).then(
        () => answered++,
        (error: Error) => {
          if (/closed/i.test(error.message)) t.fail(`${words.join(' ')}: ${error.message}`);
        },
      );
    }
    client.disconnect();
  }
  t.ok(answered > 200, `${answered} answers that are no errors`);
  t.equal(await observer.ping(), 'PONG');
  t.equal(run.child.exitCode, null);
});
