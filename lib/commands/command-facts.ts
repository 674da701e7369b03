import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { ArgumentFacts, CommandSpec, KeySpecFacts } from './spec.js';

const words = (text: string) => (text === '' ? [] : text.split(' '));

function writeStatuses(texts: readonly string[], reply: ReplyWriter): void {
  reply.set(texts.length);
  for (const text of texts) reply.simple(text);
}

/** One element of COMMAND's reply. */
export function writeCommandInfo(spec: CommandSpec, reply: ReplyWriter): void {
  const { facts } = spec;
  reply.array(10);
  reply.bulkLatin1(spec.name);
  reply.integer(spec.arity);
  writeStatuses(words(facts.flags), reply);
  reply.integer(spec.firstKey);
  reply.integer(spec.lastKey);
  reply.integer(spec.keyStep);
  writeStatuses(
    words(facts.categories).map((category) => `@${category}`),
    reply,
  );
  const tips = facts.tips ?? [];
  reply.set(tips.length);
  for (const tip of tips) reply.bulkLatin1(tip);
  const keySpecs = facts.keySpecs ?? [];
  reply.set(keySpecs.length);
  for (const keySpec of keySpecs) writeKeySpec(keySpec, reply);
  // Redis shows none as an empty set, and some as an array.
  if (spec.subcommands === null) reply.set(0);
  else reply.array(spec.subcommands.size);
  for (const subcommand of spec.subcommands?.values() ?? []) writeCommandInfo(subcommand, reply);
}

function writeKeySpec(spec: KeySpecFacts, reply: ReplyWriter): void {
  reply.map(spec.notes === undefined ? 3 : 4);
  if (spec.notes !== undefined) writePair('notes', spec.notes, reply);
  reply.bulkLatin1('flags');
  writeStatuses(words(spec.flags), reply);
  reply.bulkLatin1('begin_search');
  if ('unknown' in spec) {
    writeUnknown(reply);
    reply.bulkLatin1('find_keys');
    return writeUnknown(reply);
  }
  reply.map(2);
  if ('keyword' in spec) {
    writePair('type', 'keyword', reply);
    reply.bulkLatin1('spec');
    reply.map(2);
    writePair('keyword', spec.keyword, reply);
    writeNumber('startfrom', spec.from, reply);
  } else {
    writePair('type', 'index', reply);
    reply.bulkLatin1('spec');
    reply.map(1);
    writeNumber('index', spec.begin, reply);
  }
  reply.bulkLatin1('find_keys');
  reply.map(2);
  if ('countAt' in spec) {
    writePair('type', 'keynum', reply);
    reply.bulkLatin1('spec');
    reply.map(3);
    writeNumber('keynumidx', spec.countAt, reply);
    writeNumber('firstkey', spec.first, reply);
    writeNumber('keystep', spec.step, reply);
    return;
  }
  writePair('type', 'range', reply);
  reply.bulkLatin1('spec');
  reply.map(3);
  writeNumber('lastkey', spec.last, reply);
  writeNumber('keystep', spec.step, reply);
  writeNumber('limit', spec.limit, reply);
}

function writeUnknown(reply: ReplyWriter): void {
  reply.map(2);
  writePair('type', 'unknown', reply);
  reply.bulkLatin1('spec');
  reply.map(0);
}

function writePair(name: string, value: string, reply: ReplyWriter): void {
  reply.bulkLatin1(name);
  reply.bulkUtf8(value);
}

function writeNumber(name: string, value: number, reply: ReplyWriter): void {
  reply.bulkLatin1(name);
  reply.integer(value);
}

/** Writers of the fields that there are, in order: a map's size comes before its fields. */
type Fields = (() => void)[];

function writeFields(fields: Fields, reply: ReplyWriter): void {
  reply.map(fields.length);
  for (const field of fields) field();
}

/** The value of one command in COMMAND DOCS' reply. */
export function writeCommandDocs(spec: CommandSpec, reply: ReplyWriter): void {
  const { facts } = spec;
  const fields: Fields = [];
  const pair = (name: string, value: string | undefined) => {
    if (value !== undefined) fields.push(() => writePair(name, value, reply));
  };
  pair('summary', facts.summary);
  pair('since', facts.since);
  pair('group', facts.group);
  pair('complexity', facts.complexity);
  if (facts.docFlags !== undefined) {
    fields.push(() => {
      reply.bulkLatin1('doc_flags');
      writeStatuses(words(facts.docFlags!), reply);
    });
  }
  pair('deprecated_since', facts.deprecatedSince);
  pair('replaced_by', facts.replacedBy);
  if (facts.history !== undefined) {
    fields.push(() => {
      reply.bulkLatin1('history');
      reply.set(facts.history!.length);
      for (const [since, change] of facts.history!) {
        reply.array(2);
        reply.bulkLatin1(since);
        reply.bulkUtf8(change);
      }
    });
  }
  if (facts.arguments !== undefined) {
    fields.push(() => writeArguments(facts.arguments!, reply));
  }
  if (spec.subcommands !== null) fields.push(() => writeSubcommands(spec, reply));
  writeFields(fields, reply);
}

function writeSubcommands(spec: CommandSpec, reply: ReplyWriter): void {
  reply.bulkLatin1('subcommands');
  reply.map(spec.subcommands!.size);
  for (const subcommand of spec.subcommands!.values()) {
    reply.bulkLatin1(subcommand.name);
    writeCommandDocs(subcommand, reply);
  }
}

function writeArguments(list: readonly ArgumentFacts[], reply: ReplyWriter): void {
  reply.bulkLatin1('arguments');
  reply.array(list.length);
  for (const argument of list) writeArgument(argument, reply);
}

function writeArgument(argument: ArgumentFacts, reply: ReplyWriter): void {
  const fields: Fields = [];
  const pair = (name: string, value: string | undefined) => {
    if (value !== undefined) fields.push(() => writePair(name, value, reply));
  };
  pair('name', argument.name);
  pair('type', argument.type);
  if (argument.keySpecIndex !== undefined) {
    fields.push(() => writeNumber('key_spec_index', argument.keySpecIndex!, reply));
  }
  pair('token', argument.token);
  pair('summary', argument.summary);
  pair('since', argument.since);
  pair('deprecated_since', argument.deprecatedSince);
  if (argument.flags !== undefined) {
    fields.push(() => {
      reply.bulkLatin1('flags');
      writeStatuses(words(argument.flags!), reply);
    });
  }
  if (argument.arguments !== undefined) {
    fields.push(() => writeArguments(argument.arguments!, reply));
  }
  writeFields(fields, reply);
}
