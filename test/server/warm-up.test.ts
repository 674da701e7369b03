import t from 'tap';
import { warmUp } from '../../lib/server/warm-up.js';

const COMMANDS = 1000;

/** What of this process waits in the event loop: sockets, servers and timers. */
function resources(): string[] {
  const kinds = process.getActiveResourcesInfo();
  return kinds.filter((kind) => /server|tcp|pipe|timeout/i.test(kind)).sort();
}

t.test('a warm-up serves commands, opens no port, and leaves nothing behind', async (t) => {
  const before = resources();
  const seen = new Set<string>();
  let isOver = false;
  const warmed = warmUp(COMMANDS).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await new Promise((resolve) => setImmediate(resolve));
    for (const kind of resources()) seen.add(kind);
  }
  const served = await warmed;
  t.ok(served >= COMMANDS, `${served} commands were answered without an error`);
  t.ok(seen.has('Timeout'), 'nodes ran: this looks where they would be seen');
  t.notOk([...seen].some((kind) => kind !== 'Timeout' && !before.includes(kind)));
  t.same(resources(), before);
});
