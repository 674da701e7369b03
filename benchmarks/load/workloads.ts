import assert from 'node:assert/strict';
import { type BatchSource, KeyWalk } from './batch-source.js';
import { FillBatch } from './fill-batch.js';
import { EMPTY_KEY, encode, printableText } from './request-bytes.js';
import type { RunSpec } from './run-spec.js';
import { randomFrom, uniformSequence, zipfSequence } from './sequence.js';
import { SessionBatch } from './session-batch.js';
import { TemplateBatch } from './template-batch.js';

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

/** Mean bytes of the values that a workload writes. */
export function meanValueBytes(spec: Pick<RunSpec, 'workload' | 'valueBytes'>): number {
  const isSession = spec.workload === 'session' || spec.workload === 'fill-sessions';
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
  const sessionSets = () => sessionValues(random).map((value) => setCommand(spec, value));
  if (spec.workload === 'fill' || spec.workload === 'fill-sessions') {
    const sets =
      spec.workload === 'fill'
        ? [setCommand(spec, printableText(spec.valueBytes, random))]
        : sessionSets();
    return (i) => new FillBatch(sets, spec.depth, spec.keys, i, spec.connections);
  }
  const sequence =
    spec.workload === 'session'
      ? zipfSequence(spec.keys, SESSION_ZIPF_EXPONENT, spec.seed)
      : uniformSequence(spec.keys, spec.seed);
  const classes = spec.endpoints.length;
  const walk = (i: number) => new KeyWalk(sequence, i * SEQUENCE_STEP, classes, i % classes);
  if (spec.workload === 'session') {
    const sets = sessionSets();
    const expire = encode('EXPIRE', EMPTY_KEY, String(spec.ttlSeconds));
    return (i) => new SessionBatch(sets, expire, spec.depth, spec.waits, walk(i), spec.seed + i);
  }
  const command =
    spec.workload === 'set'
      ? setCommand(spec, printableText(spec.valueBytes, random))
      : encode('GET', EMPTY_KEY);
  return (i) => new TemplateBatch(command, spec.depth, spec.waits, walk(i));
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
