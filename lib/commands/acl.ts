import { randomBytes } from 'node:crypto';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { aclText, inFile, parseAclText } from './acl/acl-file.js';
import { applyRule, hasSpaces, mergeSelectors } from './acl/rules.js';
import { Missing, type Selector } from './acl/selector.js';
import { type Connected, DEFAULT_USER, USER_NAME_BYTES_MAX, USERS_MAX } from './acl/users.js';
import { integerOrReply } from './arguments.js';
import { cString, unknownSubcommandOrArity, wrongArity } from './errors.js';
import { CATEGORIES, categoryBit } from './facts/categories.js';
import { helpHandler } from './help.js';
import { type CommandContext, type Handlers, QueueMode } from './spec.js';
import { arityFits } from './table.js';

const GENERATED_BITS = 256;
const GENERATED_BITS_MAX = 4096;
/** Entries that ACL LOG shows unless told. */
const SHOWN = 10;
const NO_FILE =
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ' +
  'ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) ' +
  'in order to store users in the Redis configuration.';

const connected = ({ services, client }: CommandContext): Connected => ({
  clients: services.clients.all(),
  current: client,
});

function whoami(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.bulkLatin1(context.client.user.name);
}

function users(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const all = context.services.users.all();
  reply.array(all.length);
  for (const { name } of all) reply.bulkLatin1(name);
}

function list(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const all = context.services.users.all();
  reply.array(all.length);
  for (const user of all) reply.bulkLatin1(`user ${user.name} ${user.describe()}`);
}

/** All rules are applied, or none. */
function setuser(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { users } = context.services;
  const name = request.latin1(2);
  if (hasSpaces(name)) {
    reply.error("ERR Usernames can't contain spaces or null characters");
    return;
  }
  if (name.length > USER_NAME_BYTES_MAX) {
    reply.error(`ERR Usernames can't be longer than ${USER_NAME_BYTES_MAX} bytes`);
    return;
  }
  const words = Array.from({ length: request.argc - 3 }, (_, i) => request.latin1(i + 3));
  const rules = mergeSelectors(words);
  if (!Array.isArray(rules)) {
    const word = cString(rules.unmatched);
    reply.error(`ERR Unmatched parenthesis in acl selector starting at '${word}'.`);
    return;
  }
  const known = users.get(name);
  if (known === undefined && users.isFull) {
    context.services.statistics.limits.add('users');
    reply.error(`ERR there are ${USERS_MAX} users already`);
    return;
  }
  const next = users.newUser(name);
  if (known !== undefined) next.takeFrom(known);
  for (const rule of rules) {
    const problem = applyRule(next, rule, users.rules);
    if (problem === null) continue;
    reply.error(`ERR Error in ACL SETUSER modifier '${cString(rule)}': ${problem}`);
    return;
  }
  users.put(next, connected(context));
  reply.ok();
}

function deluser(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const names = Array.from({ length: request.argc - 2 }, (_, i) => request.latin1(i + 2));
  if (names.includes(DEFAULT_USER)) {
    reply.error("ERR The 'default' user cannot be removed");
    return;
  }
  const { users } = context.services;
  reply.integer(names.filter((name) => users.remove(name, connected(context))).length);
}

function describeSelector(selector: Selector, reply: ReplyWriter): void {
  reply.bulkLatin1('commands');
  reply.bulkLatin1(selector.describeCommands());
  reply.bulkLatin1('keys');
  reply.bulkLatin1(selector.describeKeys());
  reply.bulkLatin1('channels');
  reply.bulkLatin1(selector.describeChannels());
}

function getuser(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const user = context.services.users.get(request.latin1(2));
  if (user === undefined) {
    reply.nil();
    return;
  }
  reply.map(6);
  reply.bulkLatin1('flags');
  const flags = user.flags();
  reply.set(flags.length);
  for (const flag of flags) reply.bulkLatin1(flag);
  reply.bulkLatin1('passwords');
  reply.array(user.passwords.length);
  for (const hash of user.passwords) reply.bulkLatin1(hash);
  describeSelector(user.root, reply);
  reply.bulkLatin1('selectors');
  reply.array(user.selectors.length - 1);
  for (const selector of user.selectors.slice(1)) {
    reply.map(3);
    describeSelector(selector, reply);
  }
}

function cat(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc > 3) {
    reply.error(unknownSubcommandOrArity(request));
    return;
  }
  if (request.argc === 2) {
    reply.array(CATEGORIES.length);
    for (const category of CATEGORIES) reply.bulkLatin1(category);
    return;
  }
  const given = request.latin1(2);
  const bit = categoryBit(given.toLowerCase());
  if (bit === 0) {
    reply.error(`ERR Unknown category '${cString(given).slice(0, 128)}'`);
    return;
  }
  const found = context.table.specs.filter(({ categories }) => categories & bit);
  reply.array(found.length);
  for (const { name } of found) reply.bulkLatin1(name);
}

function genpass(_context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc > 3) {
    reply.error(unknownSubcommandOrArity(request));
    return;
  }
  const bits = request.argc === 3 ? integerOrReply(request, 2, reply) : GENERATED_BITS;
  if (bits === undefined) return;
  if (bits <= 0 || bits > GENERATED_BITS_MAX) {
    reply.error(
      'ERR ACL GENPASS argument must be the number of bits for the output password, a positive number ' +
        `up to ${GENERATED_BITS_MAX}`,
    );
    return;
  }
  const digits = Math.ceil(Number(bits) / 4);
  reply.bulkLatin1(
    randomBytes(Math.ceil(digits / 2))
      .toString('hex')
      .slice(0, digits),
  );
}

function log(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { log } = context.services.users;
  if (request.argc > 3) {
    reply.error(unknownSubcommandOrArity(request));
    return;
  }
  if (request.argc === 3 && request.is(2, 'RESET')) {
    log.entries = [];
    reply.ok();
    return;
  }
  const given = request.argc === 3 ? integerOrReply(request, 2, reply) : SHOWN;
  if (given === undefined) return;
  const now = context.services.now();
  const shown = log.entries.slice(0, given < 0 ? 0 : Number(given));
  reply.array(shown.length);
  for (const entry of shown) {
    reply.map(7);
    reply.bulkLatin1('count');
    reply.integer(entry.count);
    for (const field of ['reason', 'context', 'object', 'username'] as const) {
      reply.bulkLatin1(field);
      reply.bulkLatin1(entry[field]);
    }
    reply.bulkLatin1('age-seconds');
    reply.double(Math.max(0, Math.trunc(now) - Math.trunc(entry.at)) / 1000);
    reply.bulkLatin1('client-info');
    reply.bulkUtf8(entry.clientInfo);
  }
}

function dryrun(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const user = context.services.users.get(request.latin1(2));
  if (user === undefined) {
    reply.error(`ERR User '${cString(request.latin1(2))}' not found`);
    return;
  }
  const spec = context.table.findAt(request, 3);
  if (spec === null) {
    reply.error(`ERR Command '${cString(request.latin1(3))}' not found`);
    return;
  }
  if (spec.run === null || !arityFits(spec, request.argc - 3)) {
    reply.error(wrongArity(spec.name));
    return;
  }
  const refusal = user.refusal(spec, request, 3);
  if (refusal === null) {
    reply.ok();
    return;
  }
  const name = cString(request.latin1(refusal.index));
  const text = {
    [Missing.Command]: `run the '${spec.name}' command`,
    [Missing.Key]: `access the '${name}' key`,
    [Missing.Channel]: `access the '${name}' channel`,
  }[refusal.missing];
  reply.bulkLatin1(`This user has no permissions to ${text}`);
}

function load(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { services } = context;
  const path = services.config.get('aclfile');
  if (path === '') {
    reply.error(NO_FILE);
    return;
  }
  const text = services.readAclFile();
  const found =
    typeof text === 'string' ? text : parseAclText(text.content, inFile(path), services.users);
  if (typeof found === 'string') {
    reply.error(`ERR ${found}`);
    return;
  }
  services.users.replaceAll(found, connected(context));
  reply.ok();
}

function save(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { services } = context;
  if (services.config.get('aclfile') === '') {
    reply.error(NO_FILE);
    return;
  }
  const answer = context.defer();
  services.writeAclFile(aclText(services.users), (isWritten) =>
    answer((writer) => {
      if (isWritten) writer.ok();
      else
        writer.error(
          'ERR There was an error trying to save the ACLs. Please check the server logs for more information',
        );
    }),
  );
}

const HELP = [
  'CAT [<category>]',
  '    List all commands that belong to <category>, or all command categories',
  '    when no category is specified.',
  'DELUSER <username> [<username> ...]',
  '    Delete a list of users.',
  'DRYRUN <username> <command> [<arg> ...]',
  '    Returns whether the user can execute the given command without executing the command.',
  'GETUSER <username>',
  "    Get the user's details.",
  'GENPASS [<bits>]',
  '    Generate a secure 256-bit user password. The optional `bits` argument can',
  '    be used to specify a different size.',
  'LIST',
  '    Show users details in config file format.',
  'LOAD',
  '    Reload users from the ACL file.',
  'LOG [<count> | RESET]',
  '    Show the ACL log entries.',
  'SAVE',
  '    Save the current config to the ACL file.',
  'SETUSER <username> <attribute> [<attribute> ...]',
  '    Create or modify a user with the specified attributes.',
  'USERS',
  '    List all the registered usernames.',
  'WHOAMI',
  '    Return the current connection username.',
];

export const aclHandlers: Handlers = {
  'acl|whoami': { run: whoami },
  'acl|users': { run: users },
  'acl|list': { run: list },
  'acl|setuser': { run: setuser },
  'acl|deluser': { run: deluser },
  'acl|getuser': { run: getuser },
  'acl|cat': { run: cat },
  'acl|genpass': { run: genpass },
  'acl|log': { run: log },
  'acl|dryrun': { run: dryrun },
  'acl|load': { run: load },
  'acl|save': { run: save, queueMode: QueueMode.NotAlone },
  'acl|help': { run: helpHandler(HELP) },
};
