import { createHash } from 'node:crypto';

/** A script as it was sent, and what its first line says. */
export interface ScriptText {
  readonly sha: string;
  /** What is compiled: without the text of a first line `#!lua`, whose end stays, so that lines keep their numbers. */
  readonly code: Buffer;
  readonly source: Buffer;
  readonly noWrites: boolean;
  readonly allowOom: boolean;
  readonly hasHeader: boolean;
}

const SHEBANG = Buffer.from('#!');
const FLAGS = ['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'];

/** The script of a text, or the error that its first line is. */
export function readScript(source: Buffer): ScriptText | string {
  const sha = createHash('sha1').update(source).digest('hex');
  const plain = { sha, source, code: source, noWrites: false, allowOom: false, hasHeader: false };
  if (!source.subarray(0, SHEBANG.length).equals(SHEBANG)) return plain;
  const end = source.indexOf('\n');
  if (end < 0) return 'ERR Invalid script shebang';
  const [engine, ...options] = source.latin1Slice(0, end).trimEnd().split(/ +/);
  if (engine !== '#!lua') return `ERR Unexpected engine in script shebang: ${engine}`;
  const flags = new Set<string>();
  for (const option of options) {
    const [name, value] = option.split('=', 2);
    if (name !== 'flags' || value === undefined) return `ERR Unknown lua shebang option: ${option}`;
    for (const flag of value.split(',').filter((one) => one !== '')) {
      if (!FLAGS.includes(flag)) return `ERR Unexpected flag in script shebang: ${flag}`;
      flags.add(flag);
    }
  }
  return {
    ...plain,
    code: source.subarray(end),
    noWrites: flags.has('no-writes'),
    allowOom: flags.has('allow-oom'),
    hasHeader: true,
  };
}
