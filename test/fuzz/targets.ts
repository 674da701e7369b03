import { isDeepStrictEqual } from 'node:util';
import { addSetting, type OptionTexts, parseConfigText } from '../../lib/admin/config-text.js';
import { Config } from '../../lib/base/config.js';
import { CONTROL_FRAME_BYTES } from '../../lib/base/limits.js';
import { OptionError } from '../../lib/base/option-values.js';
import { parseAclText } from '../../lib/commands/acl/acl-file.js';
import { FrameReader } from '../../lib/protocol/bus-frames.js';
import { putCrc64 } from '../../lib/protocol/crc64.js';
import { Request } from '../../lib/protocol/request.js';
import { ParseResult, RequestParser } from '../../lib/protocol/request-parser.js';
import { decodeRecords, encodeRecord } from '../../lib/protocol/snapshot-blocks.js';
import { AcceptorHandshake } from '../../lib/server/bus-handshake.js';
import { encodeOpening, HelloType } from '../../lib/server/bus-hello.js';
import { BusLink } from '../../lib/server/bus-link.js';
import { TestNode } from '../support/local-services.js';
import { type Draw, pick, pieces } from './mutations.js';
import { streams } from './streams.js';

/** What becomes of an input: taken as something valid, or refused by the error that is meant for it. */
export type Verdict = 'taken' | 'refused';

/** Something that reads bytes of strangers. `run` throws when a property does not hold. */
export interface Target {
  readonly name: string;
  /** Of `npm test`, where it is not 2000. */
  readonly inputsOfTest?: number;
  /** Something valid. */
  sample(draw: Draw): Buffer;
  run(input: Buffer, draw: Draw): Verdict;
}

const ID = 'a'.repeat(40);
const WORDS = ['GET', 'SET', 'key', '', 'value\r\n', 'x'.repeat(300), '12', '-1', 'EX', '"q"'];

function words(draw: Draw): string[] {
  return Array.from({ length: 1 + Math.floor(draw() * 6) }, () => pick(draw, WORDS));
}

function same(whole: unknown, cut: unknown): void {
  if (!isDeepStrictEqual(whole, cut)) throw new Error('another result when it comes in pieces');
}

// --- requests of clients

/** Small, so that limits are met. */
const LIMITS = {
  bulkBytesMax: 5000,
  argumentsMax: 200,
  inlineBytesMax: 1000,
  queryBufferBytesMax: 20_000,
  unauthenticatedArgumentsMax: 10,
  unauthenticatedBulkBytesMax: 100,
};

function parsed(parts: readonly Buffer[], authenticated: boolean) {
  const parser = new RequestParser(LIMITS);
  parser.authenticated = authenticated;
  const request = new Request();
  const commands: string[][] = [];
  for (const part of parts) {
    const lent = Buffer.from(part);
    parser.feed(lent, 0, lent.length);
    while (parser.next(request) === ParseResult.Command)
      commands.push(Array.from({ length: request.argc }, (_, i) => request.latin1(i)));
    parser.finish();
    lent.fill(0x21);
    if (parser.pendingBytes > LIMITS.queryBufferBytesMax + part.length)
      throw new Error(`${parser.pendingBytes} bytes are kept`);
  }
  return { commands, error: parser.error };
}

const requests: Target = {
  name: 'requests',
  sample: (draw) => {
    const commands = Array.from({ length: 1 + Math.floor(draw() * 4) }, () => words(draw));
    const encode = (command: readonly string[]): string =>
      draw() < 0.2
        ? `${command.join(' ').replaceAll('\r\n', '')}\r\n`
        : `*${command.length}\r\n${command.map((one) => `$${one.length}\r\n${one}\r\n`).join('')}`;
    return Buffer.from(commands.map(encode).join(''), 'latin1');
  },
  run: (input, draw) => {
    const isKnown = draw() < 0.7;
    const whole = parsed([input], isKnown);
    same(whole, parsed(pieces(input, draw), isKnown));
    return whole.error === '' ? 'taken' : 'refused';
  },
};

// --- the bus

const MEMBER = { id: ID, host: 'a', port: 7001, busPort: 17001, zone: '', leaving: false };
const VIEW = { id: { number: 3, coordinator: ID }, members: [MEMBER], seed: 7 };
const HEADER = { from: ID, to: ID, installed: VIEW.id, seed: 7, includes: true };
const MESSAGES: readonly object[] = [
  { kind: 'hello', member: MEMBER },
  { kind: 'welcome', member: MEMBER, view: VIEW },
  { kind: 'join', known: VIEW.id, complete: true },
  { kind: 'joining', view: null, leftOut: false },
  { kind: 'invite', addresses: [{ host: 'b', port: 1, busPort: 2 }] },
  { kind: 'probe', target: ID },
  { kind: 'survey', ballot: VIEW.id, base: null, members: [ID] },
  { kind: 'prepare', view: VIEW, merge: false, dead: [ID], electorates: [[ID]] },
  { kind: 'prepared', id: VIEW.id, accepted: true, remainsMs: 12.5 },
  { kind: 'install', id: VIEW.id, full: true, merge: false, remainsMs: 0, lost: [] },
  { kind: 'goodbye' },
];

function controlFrame(message: object): Buffer {
  const payload = Buffer.from(JSON.stringify({ ...HEADER, ...message }));
  const frame = Buffer.alloc(5 + payload.length, payload);
  frame.writeUInt32LE(1 + payload.length, 0);
  frame[4] = 2;
  payload.copy(frame, 5);
  return frame;
}

function received(parts: readonly Buffer[]) {
  const messages: unknown[] = [];
  let error = '';
  const link = new BusLink(
    1,
    'control',
    {
      hello: () => true,
      opened: () => undefined,
      message: (_link, message) => messages.push(message),
      data: () => undefined,
      closed: () => undefined,
      malformed: (_link, reason) => {
        error ||= reason;
      },
    },
    [],
  );
  for (const part of parts) if (error === '') link.received(Buffer.from(part), part.length);
  return { messages, error };
}

const control: Target = {
  name: 'bus, control messages',
  sample: (draw) =>
    Buffer.concat(
      Array.from({ length: 1 + Math.floor(draw() * 3) }, () => controlFrame(pick(draw, MESSAGES))),
    ),
  run: (input, draw) => {
    const whole = received([input]);
    same(whole, received(pieces(input, draw)));
    return whole.error === '' ? 'taken' : 'refused';
  },
};

function opened(parts: readonly Buffer[], secrets: readonly string[]) {
  const sent: number[] = [];
  const handshake = new AcceptorHandshake({ secrets, binding: '' }, (frame) =>
    sent.push(frame.length),
  );
  for (const part of parts) {
    const outcome = handshake.received(part);
    if (outcome !== null) return { outcome: typeof outcome === 'string' ? outcome : 'open', sent };
  }
  return { outcome: null, sent };
}

const hellos: Target = {
  name: 'bus, hellos',
  sample: (draw) => {
    const nonce = draw() < 0.5 ? {} : { nonce: 'b'.repeat(64) };
    const kind = pick(draw, ['control', 'data']);
    const hello = { protocol: pick(draw, [1, 2, 3]), kind, from: ID, to: ID, ...nonce };
    const proof = encodeOpening(HelloType.Proof, { proof: 'c'.repeat(64) });
    return Buffer.concat([encodeOpening(HelloType.Hello, hello), proof]);
  },
  run: (input, draw) => {
    const secrets = draw() < 0.5 ? [] : ['a secret of the bus'];
    const whole = opened([input], secrets);
    same(whole, opened(pieces(input, draw), secrets));
    if (secrets.length > 0 && whole.outcome === 'open') throw new Error('in without the secret');
    return whole.outcome === 'open' ? 'taken' : 'refused';
  },
};

function framed(parts: readonly Buffer[]) {
  const reader = new FrameReader(CONTROL_FRAME_BYTES);
  const frames: string[] = [];
  for (const part of parts) {
    const lent = Buffer.from(part);
    reader.feed(lent, lent.length);
    while (reader.next())
      frames.push(`${reader.type} ${reader.buffer.latin1Slice(reader.start, reader.end)}`);
    reader.finish();
    lent.fill(0);
  }
  return { frames, error: reader.error };
}

const frames: Target = {
  name: 'bus, frames',
  sample: (draw) => control.sample(draw),
  run: (input, draw) => {
    const whole = framed([input]);
    same(whole, framed(pieces(input, draw)));
    return whole.error === '' ? 'taken' : 'refused';
  },
};

// --- files

const snapshots: Target = {
  name: 'snapshots, records',
  sample: (draw) =>
    Buffer.concat(
      Array.from({ length: 1 + Math.floor(draw() * 4) }, () =>
        encodeRecord({
          isPrimary: draw() < 0.5,
          db: Math.floor(draw() * 16),
          expireAt: draw() < 0.5 ? 0 : 1_900_000_000_000,
          key: Buffer.from(pick(draw, WORDS)),
          payload: Buffer.from(pick(draw, WORDS)),
        }),
      ),
    ),
  run: (input) => {
    const records = decodeRecords(input);
    if (records === null) return 'refused';
    // What is taken says the same again.
    same(input, Buffer.concat(records.map(encodeRecord)));
    return 'taken';
  },
};

const CONFIGURATIONS = [
  'port 7001\nbind 127.0.0.1\nrequirepass "a b\\x41"\n# comment\nmaxmemory 100mb\n',
  'join 127.0.0.1:17001\njoin "[::1]:17002"\nsave ""\ntimeout 10\nloglevel debug\n',
  "user alice on >secret ~* +@all\nclient-output-buffer-limit normal 0 0 0\nzone 'a'\n",
];

const configuration: Target = {
  name: 'configuration',
  sample: (draw) => Buffer.from(pick(draw, CONFIGURATIONS)),
  run: (input) => {
    try {
      const texts: OptionTexts = {};
      for (const { name, value } of parseConfigText(input.toString('utf8'), 'file'))
        if (name !== 'include') addSetting(texts, name, value);
      new Config(texts);
      return 'taken';
    } catch (error) {
      if (error instanceof OptionError) return 'refused';
      throw error;
    }
  },
};

// --- commands that read formats of their own

const node = new TestNode();
const client = node.connect();
const TYPES = ['string', 'list', 'hash', 'set', 'zset', 'large'];
node.run(client, 'SET', 'string', 'a value');
node.run(client, 'RPUSH', 'list', ...WORDS);
node.run(client, 'HSET', 'hash', 'one', '1', 'two', 'x'.repeat(100));
node.run(client, 'SADD', 'set', ...WORDS);
node.run(client, 'ZADD', 'zset', '1', 'a', '-inf', 'b', '2.5', 'c');
node.run(client, 'HSET', 'large', ...Array.from({ length: 400 }, (_, i) => `field ${i}`));

const payloads: Target = {
  name: 'payloads of RESTORE',
  sample: (draw) => {
    const text = node.run(client, 'DUMP', pick(draw, TYPES));
    const bytes = Buffer.from(text.slice(text.indexOf('\n') + 1, -2), 'latin1');
    // Without the checksum: with a wrong one nothing is looked at.
    return bytes.subarray(0, -8);
  },
  run: (input) => {
    const payload = Buffer.concat([input, Buffer.alloc(8)]);
    putCrc64(payload, 0, input.length, payload, input.length);
    const reply = node.run(client, 'RESTORE', 'made', '0', payload, 'REPLACE');
    if (!/^(\+OK|-ERR (Bad data format|DUMP payload))/.test(reply)) throw new Error(reply);
    if (!reply.startsWith('+')) return 'refused';
    const again = node.run(client, 'DUMP', 'made');
    if (!again.startsWith('$')) throw new Error(`not to be dumped: ${again}`);
    return 'taken';
  },
};

const RULES = [
  'user alice on >secret ~* &* +@all',
  'user bob off nopass ~app:* %R~other:* -@all +get +set|x (+@read ~r:*)',
  `user default on #${'e'.repeat(64)} resetchannels &news allkeys allcommands -debug`,
];

const users: Target = {
  name: 'files of users',
  sample: (draw) => Buffer.from(`${pick(draw, RULES)}\n${pick(draw, RULES)}\n`),
  run: (input) => {
    const found = parseAclText(input.toString('latin1'), () => 'file:1: ', node.users);
    return typeof found === 'string' ? 'refused' : 'taken';
  },
};

export const TARGETS: readonly Target[] = [
  requests,
  control,
  hellos,
  frames,
  snapshots,
  configuration,
  payloads,
  users,
  streams,
];
