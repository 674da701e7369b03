import fc from 'fast-check';
import t from 'tap';
import {
  type ControlMessage,
  decodeControlMessage,
} from '../../lib/cluster/membership/messages.js';
import { ControlNetwork } from '../support/control-network.js';

/** One message of each kind, as a cluster that forms, loses a node and parts really sends them. */
function samples(): Map<string, ControlMessage> {
  const found = new Map<string, ControlMessage>();
  const net = new ControlNetwork(3);
  net.intercept = (_from, _to, message) => {
    if (!found.has(message.kind)) found.set(message.kind, message);
    return false;
  };
  const [a, b, c] = net.form(3);
  net.crash(a!);
  net.run(500);
  net.startWith(a!, []);
  net.run(2000);
  b!.membership!.goodbye(b!.monotonic(net.now), false);
  net.run(100);
  net.crash(c!);
  return found;
}

const messages = samples();

t.test('every kind of message is understood as it was sent', async () => {
  t.same(
    [...messages.keys()].sort(),
    [
      'found',
      'founding',
      'goodbye',
      'hello',
      'install',
      'invite',
      'join',
      'joining',
      'ping',
      'pong',
      'prepare',
      'prepared',
      'probe',
      'probed',
      'survey',
      'surveyed',
      'welcome',
    ],
    'all kinds were seen',
  );
  for (const message of messages.values()) {
    t.same(decodeControlMessage(JSON.parse(JSON.stringify(message))), message);
  }
});

/** What an older release does not say. */
const OPTIONAL = new Set(['empty']);

t.test('a message with any part missing or of another kind is not understood', async () => {
  for (const message of messages.values()) {
    for (const name of Object.keys(message).filter((one) => !OPTIONAL.has(one))) {
      const { [name as keyof ControlMessage]: _, ...rest } = message;
      t.equal(decodeControlMessage(rest), null, `${message.kind} without ${name}`);
      const odd = { ...message, [name]: { odd: true } };
      t.equal(decodeControlMessage(odd), null, `${message.kind} with an odd ${name}`);
    }
  }
});

t.test('limits', async () => {
  const prepare = messages.get('prepare')!;
  if (prepare.kind !== 'prepare') return;
  const { view } = prepare;
  const [first] = view.members;
  const crowd = Array.from({ length: 1025 }, (_, i) => ({
    ...first!,
    id: i.toString(16).padStart(40, '0'),
  }));
  const withMembers = (members: unknown): unknown => ({ ...prepare, view: { ...view, members } });
  t.ok(decodeControlMessage(withMembers(crowd.slice(1))));
  t.equal(decodeControlMessage(withMembers(crowd)), null, 'too many members');
  t.equal(decodeControlMessage(withMembers([])), null, 'no members');
  t.equal(decodeControlMessage(withMembers([first, first])), null, 'one member twice');
  const long = { ...first, host: 'h'.repeat(256) };
  t.equal(decodeControlMessage(withMembers([long])), null, 'a host name too long');
  t.equal(decodeControlMessage({ ...prepare, kind: 'toString' }), null);
  t.equal(decodeControlMessage({ ...prepare, from: 'A'.repeat(40) }), null);
});

t.test('a hello speaks for its sender', async () => {
  const hello = messages.get('hello')!;
  t.equal(decodeControlMessage({ ...hello, from: '0'.repeat(40) }), null);
});

t.test('no JSON value is an accident', async () => {
  const kinds = [...messages.values()];
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (json) => decodeControlMessage(json) === null),
    { seed: 1, numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.nat(), fc.string(), fc.jsonValue(), (pick, name, json) => {
      const message = kinds[pick % kinds.length]!;
      const names = Object.keys(message);
      const known = names[pick % names.length]!;
      decodeControlMessage({ ...message, [known]: json, [name]: json });
      return true;
    }),
    { seed: 1, numRuns: 2000 },
  );
});
