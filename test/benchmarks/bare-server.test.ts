import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { type Command, Commands } from '../../benchmarks/bare/commands.js';
import { bareForwardLauncher, bareLauncher } from '../../benchmarks/servers/bare.js';
import { type Launcher, stopAll } from '../../benchmarks/servers/server.js';

const array = (...args: string[]): string =>
  `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
const KEY = 'sess:000000012345';
const VALUE = 'v'.repeat(500);

const textOf = ({ buffer, argc, start, end }: Command): string =>
  Array.from({ length: argc }, (_, i) => buffer.latin1Slice(start[i]!, end[i]!)).join(' ');

t.test('commands are found wherever their bytes are cut', (t) => {
  const bytes = Buffer.from(
    `PING\r\n${array('SET', KEY, 'a value\r\n')}${array('GET', KEY)}PING\r\n`,
  );
  const expected = ['PING', `SET ${KEY} a value\r\n`, `GET ${KEY}`, 'PING'];
  for (let cut = 0; cut <= bytes.length; cut++) {
    const commands = new Commands();
    const found: string[] = [];
    const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
    const whole = parts.map((part) =>
      commands.feed(Buffer.from(part), (command) => found.push(textOf(command))).toString(),
    );
    t.same(found, expected, `cut at ${cut}`);
    t.equal(whole.join(''), bytes.toString());
  }
  t.end();
});

async function keepsWhatItIsGiven(t: Test, launcher: Launcher, nodes: number): Promise<void> {
  const { endpoints, children } = await launcher.start(nodes);
  t.teardown(() => stopAll(children));
  const socket = connect(endpoints[0]!);
  t.teardown(() => socket.destroy());
  const replies: string[] = [];
  socket.on('data', (chunk) => replies.push(chunk.toString('latin1')));
  const ask = async (text: string, reply: string): Promise<void> => {
    replies.length = 0;
    socket.write(text);
    while (replies.join('').length < reply.length) await once(socket, 'data');
    t.equal(replies.join(''), reply);
  };
  await ask(array('SET', KEY, VALUE).repeat(100), '+OK\r\n'.repeat(100));
  if (launcher.name === 'bare' && nodes === 2) return;
  await ask(array('GET', KEY).repeat(100), `$500\r\n${VALUE}\r\n`.repeat(100));
}

t.test('alone', (t) => keepsWhatItIsGiven(t, bareLauncher(), 1));
t.test('with a backup, which only keeps', (t) => keepsWhatItIsGiven(t, bareLauncher(), 2));
t.test('by asking another one', (t) => keepsWhatItIsGiven(t, bareForwardLauncher(), 2));
