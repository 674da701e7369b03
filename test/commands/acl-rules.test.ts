import t from 'tap';
import { Config } from '../../lib/base/config.js';
import { inFile, parseAclText } from '../../lib/commands/acl/acl-file.js';
import { applyRule, mergeSelectors } from '../../lib/commands/acl/rules.js';
import { Users } from '../../lib/commands/acl/users.js';
import { createCommandTable } from '../../lib/commands/all-commands.js';
import { Request } from '../../lib/protocol/request.js';
import { TestNode } from '../support/local-services.js';

const table = createCommandTable();
const users = new Users(new Config(), table);

/** The user that rules make, separated by spaces; throws for a rule that is none. */
function made(rules: string) {
  const user = users.newUser('somebody');
  const merged = mergeSelectors(rules.split(' '));
  if (!Array.isArray(merged)) throw new Error(`unmatched ${merged.unmatched}`);
  for (const rule of merged) {
    const problem = applyRule(user, rule, users.rules);
    if (problem !== null) throw new Error(`${rule}: ${problem}`);
  }
  user.changed();
  return user;
}

const may = (rules: string, ...words: string[]): boolean =>
  made(rules).refusal(table.find(Request.of(...words))!, Request.of(...words)) === null;

const HASH = '5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8';

/** Rules, and those that the user has then. */
const DESCRIBED: readonly [string, string][] = [
  ['', 'off resetchannels -@all'],
  ['on nopass ~* &* +@all', 'on nopass ~* &* +@all'],
  ['ON NOPASS ALLKEYS ALLCHANNELS ALLCOMMANDS', 'on nopass ~* &* +@all'],
  ['on >password', `on #${HASH} resetchannels -@all`],
  [`nopass #${HASH} >password`, `off #${HASH} resetchannels -@all`],
  ['>password nopass', 'off nopass resetchannels -@all'],
  ['>a >password <a', `off #${HASH} resetchannels -@all`],
  [`>password !${HASH}`, 'off resetchannels -@all'],
  ['~a %R~b %W~c %RW~d %wr~e', 'off ~a %R~b %W~c ~d ~e resetchannels -@all'],
  ['%R~* ~a %W~*', 'off %RW~* ~a resetchannels -@all'],
  ['%R~a %W~a', 'off ~a resetchannels -@all'],
  ['~a allkeys resetkeys ~b', 'off ~b resetchannels -@all'],
  ['&a &b &a', 'off resetchannels &a &b -@all'],
  ['+@read -@dangerous +config|get', 'off resetchannels -@all +@read -@dangerous +config|get'],
  ['+@all -keys -CONFIG', 'off resetchannels +@all -keys -config'],
  ['+config|get +config', 'off resetchannels -@all +config'],
  ['+get -get +get', 'off resetchannels -@all +get'],
  ['+@all -@all', 'off resetchannels -@all'],
  ['+select|0 +select|1', 'off resetchannels -@all +select|0 +select|1'],
  ['+select|0 -select', 'off resetchannels -@all -select'],
  [
    '+get ~a (+set ~b) (%R~c +@list &d)',
    'off ~a resetchannels -@all +get (~b resetchannels -@all +set) (%R~c resetchannels &d -@all +@list)',
  ],
  ['(+set ~b) clearselectors', 'off resetchannels -@all'],
  [
    'on >a ~a &a +@all (~b) skip-sanitize-payload reset',
    'off sanitize-payload resetchannels -@all',
  ],
  ['skip-sanitize-payload', 'off skip-sanitize-payload resetchannels -@all'],
];

t.test('rules make a user, and what describes the user makes it again', async (t) => {
  for (const [rules, described] of DESCRIBED) {
    t.equal(made(rules).describe(), described, rules);
    t.equal(made(described).describe(), described, `${described} again`);
  }
});

const WRONG: readonly [string, RegExp][] = [
  ['foo', /Syntax error/],
  ['constructor', /Syntax error/],
  ['+foo', /Unknown command or category/],
  ['-foo', /Unknown command or category/],
  ['+@foo', /Unknown command or category/],
  ['+config|foo', /Unknown command or category/],
  ['-select|0', /Unknown command or category/],
  ['+config|get|x', /first-arg of a subcommand/],
  ['+select|', /Syntax error/],
  ['~* ~a', /Adding a pattern after the \* pattern \(or the 'allkeys'/],
  ['&* &a', /Adding a pattern after the \* pattern \(or the 'allchannels'/],
  ['%~a', /Syntax error/],
  ['%RR~a', /Syntax error/],
  ['%R', /Syntax error/],
  ['~a\tb', /Syntax error/],
  ['&a\0', /Syntax error/],
  ['<a', /does not exist/],
  [`!${HASH}`, /does not exist/],
  ['#abc', /must be exactly 64 characters/],
  [`#${HASH.toUpperCase()}`, /must be exactly 64 characters/],
  ['(+get ~a', /unmatched \(\+get/],
  ['(+foo)', /Unknown command or category/],
  ['(on)', /Syntax error/],
];

t.test('what is no rule is told why', async (t) => {
  for (const [rules, error] of WRONG) t.throws(() => made(rules), error, rules);
});

t.test('a user may have a thousand rules, and not more', async (t) => {
  const patterns = (count: number) => Array.from({ length: count }, (_, i) => `~${i}`).join(' ');
  t.ok(made(patterns(900)));
  t.throws(() => made(patterns(1001)), /More than 1000 rules/);
  t.throws(() => made(`~${'x'.repeat(16 * 1024)}`), /Longer than 16384 bytes/);
  const node = new TestNode();
  const name = 'n'.repeat(1025);
  t.match(node.run(node.connect(), 'ACL', 'SETUSER', name), /^-ERR Usernames can't be longer/);
  t.equal(node.users.all().length, 1);
});

t.test('commands, categories, subcommands and first arguments', async (t) => {
  t.ok(may('~* +get', 'GET', 'k'));
  t.notOk(may('~* +get', 'SET', 'k', 'v'));
  t.ok(may('~* +@read', 'GET', 'k'));
  t.notOk(may('~* +@read -get', 'GET', 'k'));
  t.ok(may('+config|get', 'CONFIG', 'GET', 'x'));
  t.notOk(may('+config|get', 'CONFIG', 'SET', 'x', 'y'));
  t.ok(may('+config -config|set', 'CONFIG', 'GET', 'x'));
  t.notOk(may('+config -config|set', 'CONFIG', 'SET', 'x', 'y'));
  t.ok(may('+select|0', 'SELECT', '0'));
  t.notOk(may('+select|0', 'SELECT', '1'));
  t.notOk(may('+select|0 -select', 'SELECT', '0'));
  t.notOk(may('+select|0 -@fast', 'SELECT', '0'));
  t.ok(may('-@all', 'AUTH', 'x'), 'everybody may authenticate');
});

t.test('a key needs a pattern for what is done with it', async (t) => {
  t.ok(may('+@all %R~a %W~b', 'GET', 'a'));
  t.notOk(may('+@all %R~a %W~b', 'SET', 'a', 'v'));
  t.ok(may('+@all %R~a %W~b', 'SET', 'b', 'v'));
  t.notOk(may('+@all %R~a %W~b', 'SET', 'b', 'v', 'GET'));
  t.ok(may('+@all %R~a %W~b', 'COPY', 'a', 'b'));
  t.notOk(may('+@all %R~a %W~b', 'COPY', 'b', 'a'));
  t.notOk(may('+@all %R~a %W~b', 'INCR', 'b'), 'INCR shows what was there');
  t.ok(may('+@all %W~b', 'EXISTS', 'b'), 'shows nothing of the value');
  t.ok(may('+@all %R~a %W~b', 'SORT', 'a', 'STORE', 'b'));
  t.notOk(may('+@all %R~a %W~b', 'SORT', 'a', 'STORE', 'a'));
  t.ok(may('+@all %R~a* %W~b', 'ZUNIONSTORE', 'b', '2', 'a1', 'a2'));
  t.notOk(may('+@all %R~a* %W~b', 'ZUNIONSTORE', 'a', '2', 'a1', 'a2'));
  t.notOk(may('+@all %R~a* %W~b', 'ZUNIONSTORE', 'b', '2', 'a1', 'b'));
  t.ok(may('+@all %R~a', 'BITFIELD', 'a', 'GET', 'u8', '0'));
  t.notOk(may('+@all %R~a', 'BITFIELD', 'a', 'SET', 'u8', '0', '1'));
});

t.test('one selector must allow the whole command', async (t) => {
  const rules = '+get ~a (+set ~b)';
  t.ok(may(rules, 'GET', 'a'));
  t.ok(may(rules, 'SET', 'b', 'v'));
  t.notOk(may(rules, 'SET', 'a', 'v'));
  t.notOk(may(rules, 'GET', 'b'));
  t.notOk(may('+@all ~a (+@all ~b)', 'MGET', 'a', 'b'));
});

t.test('channels are matched, patterns of channels must be the same', async (t) => {
  t.ok(may('+@all &a*', 'PUBLISH', 'ab', 'x'));
  t.notOk(may('+@all &a*', 'PUBLISH', 'b', 'x'));
  t.ok(may('+@all &a*', 'SUBSCRIBE', 'a', 'ab'));
  t.notOk(may('+@all &a*', 'SUBSCRIBE', 'a', 'b'));
  t.ok(may('+@all &a*', 'PSUBSCRIBE', 'a*'));
  t.notOk(may('+@all &a*', 'PSUBSCRIBE', 'ab*'));
  t.ok(may('+@all', 'UNSUBSCRIBE', 'b'), 'who leaves needs no permission');
});

t.test('who may do everything is known as such', async (t) => {
  t.ok(made('+@all ~* &*').isUnrestricted);
  t.ok(made('+get ~a (+@all ~* &*)').isUnrestricted);
  for (const rules of ['+@all ~* &* -get', '+@all ~*', '+@all &*', '+@all ~* &* -get +get'])
    t.notOk(made(rules).isUnrestricted, rules);
});

const FILE = `user default on nopass ~* &* +@all
user alice on >secret ~cached:* +@read
\r
  user bob on #${HASH} (~a:* +get)  (~b:*  +set)
`;

t.test('an ACL file is read as a whole, or not at all', async (t) => {
  const found = parseAclText(FILE, inFile('users.acl'), users);
  if (typeof found === 'string') throw new Error(found);
  t.same([...found.keys()], ['default', 'alice', 'bob']);
  t.equal(
    found.get('bob')!.describe(),
    `on #${HASH} resetchannels -@all (~a:* resetchannels -@all +get) (~b:* resetchannels -@all +set)`,
  );
  const wrong: readonly [string, RegExp][] = [
    ['# comment\n', /^users.acl:1 should start with user keyword/],
    ['\nuser\n', /^users.acl:2 should start with user keyword/],
    ['user a\tb on\n', /users.acl:1: username 'a\tb' contains invalid characters/],
    ['user a on\nuser a off\n', /Duplicate user 'a' found on line 2/],
    ['user a +foo +bar\n', /^users.acl:1: Error in applying operation '\+foo': Unknown .*'\+bar'/],
    [
      'user a #secret ~* ~b\n',
      /^users.acl:1: The password hash must be [^:]*\. WARNING: ACL errors/,
    ],
    ['user a (+get\n', /^users.acl:1: Unmatched parenthesis/],
  ];
  for (const [text, error] of wrong) {
    const problem = parseAclText(FILE + text, inFile('users.acl'), users);
    t.match(
      problem,
      new RegExp(
        error.source
          .replace('acl:1', 'acl:5')
          .replace('acl:2', 'acl:6')
          .replace('line 2', 'line 6'),
      ),
      text,
    );
    t.notMatch(problem, /secret/, 'a password is on no line of the log');
  }
});
