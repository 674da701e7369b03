import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { Config } from '../../lib/base/config.js';
import { createCommandTable } from '../../lib/commands/all-commands.js';
import { ScriptEngine } from '../../lib/commands/scripting/script-engine.js';
import type { ScriptText } from '../../lib/commands/scripting/script-header.js';
import { ScriptRun } from '../../lib/commands/scripting/script-run.js';
import type { NodeServices } from '../../lib/commands/services.js';
import { Statistics } from '../../lib/commands/statistics.js';
import { TestNode } from '../support/local-services.js';

/** Keys that may be looked at in one turn: any number that is finite. */
const ROOM = 1000;

/** What of a node's services a script asks for that calls no command. */
const services = {
  config: new Config(),
  statistics: new Statistics(),
  now: () => Date.now(),
  log: () => undefined,
} as unknown as NodeServices;

function runOf(engine: ScriptEngine, node: TestNode, script: ScriptText | null): ScriptRun {
  return new ScriptRun({
    engine,
    script,
    client: node.connect(),
    db: 0,
    keys: [],
    args: [],
    readOnly: false,
    table: createCommandTable(),
    services,
    commands: { run: () => undefined },
  });
}

t.test(
  'while others are asked for a script, suspended ones go on and there is none to kill',
  async (t) => {
    const node = new TestNode();
    const engine = new ScriptEngine(() => Date.now());
    const unknown = runOf(engine, node, null);
    t.notOk(unknown.isReady);
    t.match(engine.kill(), /^NOTBUSY/);

    const long = engine.learn(Buffer.from('for i = 1, 2e7 do end return 7')) as ScriptText;
    const suspended = runOf(engine, node, long);
    let reply = suspended.run(ROOM);
    t.equal(reply, null, 'it takes more than one slice');
    const giveUpAt = Date.now() + 10_000;
    while (reply === null && Date.now() < giveUpAt) {
      t.notOk(unknown.isReady);
      await delay(2);
      reply = suspended.run(ROOM);
    }
    t.equal(reply?.toString(), ':7\r\n');

    unknown.resolve(null);
    t.ok(unknown.isReady);
    t.match(unknown.run(ROOM)?.toString(), /^-NOSCRIPT/);
  },
);

t.test('few instructions on much memory are suspended as many instructions are', async (t) => {
  const node = new TestNode();
  const engine = new ScriptEngine(() => Date.now());
  const script = 'for i = 1, 100 do local s = string.rep("x", 1e6) .. i end return 7';
  const run = runOf(engine, node, engine.learn(Buffer.from(script)) as ScriptText);
  let slices = 0;
  let reply: Buffer | null = null;
  for (const giveUpAt = Date.now() + 20_000; reply === null && Date.now() < giveUpAt; slices++) {
    reply = run.run(ROOM);
  }
  t.equal(reply?.toString(), ':7\r\n');
  t.ok(slices > 2, `${slices} slices`);
});
