import t from 'tap';
import { createCommandTable } from '../../lib/commands/all-commands.js';
import { stringFacts } from '../../lib/commands/facts/string-facts.js';
import type { Handlers } from '../../lib/commands/spec.js';
import { CommandTable } from '../../lib/commands/table.js';
import { Request } from '../../lib/protocol/request.js';

const get = stringFacts.filter((facts) => facts.name === 'get');
const handlers: Handlers = { get: { run: () => undefined } };

t.test('a table that is not whole is refused at start', async (t) => {
  t.ok(new CommandTable(get, [handlers]));
  t.throws(() => new CommandTable([...get, ...get], [handlers]), /get is registered twice/);
  t.throws(() => new CommandTable(get, [handlers, handlers]), /get is registered twice/);
  t.throws(() => new CommandTable(get, []), /no handler for get/);
  t.throws(() => new CommandTable([], [handlers]), /handlers without facts: get/);
});

t.test('commands are found by their bytes in any case, subcommands by both words', async (t) => {
  const table = createCommandTable();
  for (const [name, spec] of table.commands) {
    t.equal(table.find(Request.of(name.toUpperCase())), spec, name);
    for (const [word, sub] of spec.subcommands ?? []) {
      t.equal(table.find(Request.of(name, word.toUpperCase(), 'more')), sub, sub.name);
      t.equal(table.byName(`${name}|${word}`.toUpperCase()), sub);
    }
  }
  for (const name of ['', 'ge', 'gett', 'get\0', 'G\x45\x34', 'x'.repeat(1000), '\x07\x05\x14']) {
    t.equal(table.find(Request.of(name)), null, JSON.stringify(name.slice(0, 20)));
  }
  t.equal(table.find(Request.of('client', 'foo')), null);
  t.equal(table.find(Request.of('client'))?.name, 'client');
});
