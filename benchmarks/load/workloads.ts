import assert from 'node:assert/strict';
import { type BatchSource, type KeySource, KeyWalk, ListWalk } from './batch-source.js';
import { FillBatch } from './fill-batch.js';
import { EMPTY_KEY, encode, printableText } from './request-bytes.js';
import { type FillName, isFill, type RunSpec } from './run-spec.js';
import { randomFrom, SEQUENCE_LENGTH, uniformSequence, zipfSequence } from './sequence.js';
import { SessionBatch, type SessionCommands } from './session-batch.js';
import { keysBySlots } from './slot-keys.js';
import { TemplateBatch } from './template-batch.js';
import { UpdateBatch } from './update-batch.js';

/** Sizes of session values, evenly spread between these in so many steps. */
const SESSION_BYTES_MIN = 200;
const SESSION_BYTES_MAX = 2000;
const SESSION_SIZES = 64;
/** Skew of the users of session traffic. */
const SESSION_ZIPF_EXPONENT = 0.99;
/**
 * Draws between the starting points of two connections in the common sequence: prime, so that they
 * differ.
 */
const SEQUENCE_STEP = 15_485_863;

/** Numbers from here on are those of keys that nobody has. */
const UNKNOWN_FROM = 1_000_000_000;

/** Mean bytes of the values that a workload writes. */
export function meanValueBytes(spec: Pick<RunSpec, 'workload' | 'valueBytes'>): number {
  const isSession = ['session', 'fill-sessions', 'update'].includes(spec.workload);
  return isSession ? (SESSION_BYTES_MIN + SESSION_BYTES_MAX) / 2 : spec.valueBytes;
}

/**
 * One source for each connection of a run. Throws when keys or connections cannot be shared out
 * evenly.
 */
export function sourcesFor(spec: RunSpec): BatchSource[] {
  const classes = spec.endpoints.length;
  assert(classes > 0 && spec.connections > 0 && spec.depth > 0 && spec.keys > 0);
  assert(spec.keys % classes === 0, 'keys must be a multiple of the endpoints');
  assert(spec.connections % classes === 0, 'connections must be a multiple of the endpoints');
  const sourceOf = sourceFactory(spec);
  return Array.from({ length: spec.connections }, (_, connection) => sourceOf(connection));
}

function sourceFactory(spec: RunSpec): (connection: number) => BatchSource {
  const random = randomFrom(spec.seed);
  if (spec.workload === 'update') return updates(spec, random);
  if (isFill(spec.workload)) {
    const commands = fillCommands(spec, spec.workload, random);
    return fills(spec, commands);
  }
  const walk = walks(spec);
  if (spec.workload === 'session' || spec.workload === 'hash') {
    const commands = spec.workload === 'hash' ? hashes(spec, random) : strings(spec, random);
    return (i) => new SessionBatch(commands, spec.depth, spec.waits, walk(i), spec.seed + i);
  }
  const command =
    spec.workload === 'set'
      ? setCommand(spec, printableText(spec.valueBytes, random))
      : encode('GET', EMPTY_KEY);
  return (i) => new TemplateBatch(command, spec.depth, spec.waits, walk(i));
}

const hasSlots = ({ endpoints }: RunSpec): boolean =>
  endpoints.some(({ slots }) => slots !== undefined);

function fills(spec: RunSpec, commands: string[]): (connection: number) => BatchSource {
  const { depth, keys, connections, endpoints } = spec;
  if (!hasSlots(spec)) return (i) => new FillBatch(commands, depth, keys, i, connections);
  const lists = keysBySlots(endpoints, keys);
  const classes = endpoints.length;
  const stride = connections / classes;
  return (i) => {
    const first = Math.floor(i / classes);
    return new FillBatch(commands, depth, keys, first, stride, lists[i % classes]);
  };
}

function walks(spec: RunSpec): (connection: number) => KeySource {
  const { endpoints, keys } = spec;
  const classes = endpoints.length;
  const sequence = sequenceOf(spec);
  if (!hasSlots(spec)) return (i) => new KeyWalk(sequence, i * SEQUENCE_STEP, classes, i % classes);
  const lists = keysBySlots(endpoints, keys);
  return (i) => new ListWalk(sequence, i * SEQUENCE_STEP, lists[i % classes]!);
}

function updates(spec: RunSpec, random: () => number): (connection: number) => BatchSource {
  const sets = sessionValues(random).map((value) => setCommand(spec, value));
  const sequence = uniformSequence(spec.keys, spec.seed, Math.max(spec.keys, SEQUENCE_LENGTH));
  const batches = Math.ceil(spec.keys / (spec.connections * spec.depth));
  const share = batches * spec.depth;
  return (i) => {
    const walk = new KeyWalk(sequence, i * share, 1, 0);
    return new UpdateBatch(sets, spec.depth, batches, walk, spec.seed + i);
  };
}

function fillCommands(
  spec: RunSpec,
  workload: Exclude<FillName, 'update'>,
  random: () => number,
): string[] {
  switch (workload) {
    case 'fill':
      return [setCommand(spec, printableText(spec.valueBytes, random))];
    case 'fill-sessions':
      return sessionValues(random).map((value) => setCommand(spec, value));
    case 'fill-hashes':
      return [hashOf(printableText(spec.valueBytes, random))];
    case 'fill-fields':
      return [fieldsOf(spec.valueBytes, random)];
    case 'delete':
      return [encode('DEL', EMPTY_KEY)];
  }
}

function sequenceOf({ workload, keys, seed, only }: RunSpec): Int32Array {
  if (only !== undefined) return uniformSequence(only.length, seed).map((i) => only[i]!);
  if (workload === 'session' || workload === 'hash')
    return zipfSequence(keys, SESSION_ZIPF_EXPONENT, seed);
  if (workload === 'mixed') return uniformSequence(2 * keys, seed);
  const uniform = uniformSequence(keys, seed);
  return workload === 'unknown' ? uniform.map((key) => key + UNKNOWN_FROM) : uniform;
}

function strings(spec: RunSpec, random: () => number): SessionCommands {
  return {
    read: encode('GET', EMPTY_KEY),
    writes: sessionValues(random).map((value) => [setCommand(spec, value)]),
    touch: [encode('EXPIRE', EMPTY_KEY, String(spec.ttlSeconds))],
  };
}

/** What a session holds besides its attributes: times in Unix milliseconds, seconds. */
const TIMES = ['creationTime', '1700000000000', 'maxInactiveInterval', '1800'];
const ACCESSED = ['lastAccessedTime', '1700000000001'];
const ATTRIBUTE = 'sessionAttr:user';

const hashOf = (value: string): string =>
  encode('HSET', EMPTY_KEY, ...TIMES, ...ACCESSED, ATTRIBUTE, value);

/** Fields of a hash of many small ones. */
const FIELDS = 10;

/** Ten fields whose names and values have so many bytes together. */
function fieldsOf(bytes: number, random: () => number): string {
  const fields = Array.from({ length: FIELDS }, (_, i) => {
    const name = `field${i}`;
    return [name, printableText(bytes / FIELDS - name.length, random)];
  });
  return encode('HSET', EMPTY_KEY, ...fields.flat());
}

/** As Spring Session keeps them: the whole is read, what has changed is written, and the expiry each time. */
function hashes(spec: RunSpec, random: () => number): SessionCommands {
  const expire = encode('EXPIRE', EMPTY_KEY, String(spec.ttlSeconds));
  const value = printableText(spec.valueBytes, random);
  return {
    read: encode('HGETALL', EMPTY_KEY),
    writes: [[encode('HSET', EMPTY_KEY, ...ACCESSED, ATTRIBUTE, value), expire]],
    touch: [encode('HSET', EMPTY_KEY, ...ACCESSED), expire],
  };
}

function setCommand(spec: RunSpec, value: string): string {
  if (spec.ttlSeconds === 0) return encode('SET', EMPTY_KEY, value);
  return encode('SET', EMPTY_KEY, value, 'EX', String(spec.ttlSeconds));
}

function sessionValues(random: () => number): string[] {
  const step = (SESSION_BYTES_MAX - SESSION_BYTES_MIN) / (SESSION_SIZES - 1);
  return Array.from({ length: SESSION_SIZES }, (_, i) =>
    printableText(Math.round(SESSION_BYTES_MIN + i * step), random),
  );
}
