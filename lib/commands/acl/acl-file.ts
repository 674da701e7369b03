import { applyRule, hasSpaces, mergeSelectors, UNKNOWN_COMMAND } from './rules.js';
import type { AclUser } from './user.js';
import { USERS_MAX, type Users } from './users.js';

const UNCHANGED =
  'WARNING: ACL errors detected, no change to the previously active ACL rules was performed';

/** The users as an ACL file has them, one to a line. */
export const aclText = (users: Users): string =>
  userLines(users)
    .map((line) => `user ${line}\n`)
    .join('');

/** The same as the option `user` has them. */
export const userLines = (users: Users): string[] =>
  users.all().map((user) => `${user.name} ${user.describe()}`);

/** Where the lines of an ACL file stand. */
export const inFile =
  (path: string) =>
  (line: number): string =>
    `${path}:${line}`;

/** Where the users of the configuration stand: it has them by name. */
export const inConfiguration =
  (lines: readonly string[]) =>
  (line: number): string =>
    `user ${lines[line - 1]?.split(' ')[0]}`;

const trim = (line: string): string => line.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '');

/**
 * The users that the text of an ACL file describes, by name; or one text that names every line which is wrong, and why.
 * `placeOf` says where a line stands, from 1, in errors.
 */
export function parseAclText(
  text: string,
  placeOf: (line: number) => string,
  users: Users,
): ReadonlyMap<string, AclUser> | string {
  const found = new Map<string, AclUser>();
  let errors = '';
  text.split('\n').forEach((line, index) => {
    errors += readLine(trim(line), placeOf(index + 1), index + 1, users, found);
  });
  return errors === '' ? found : errors + UNCHANGED;
}

/** Adds the user of a line; returns what is wrong with it. */
function readLine(
  line: string,
  place: string,
  number: number,
  users: Users,
  found: Map<string, AclUser>,
): string {
  if (line === '') return '';
  const [word, name, ...rules] = line.split(' ');
  if (word !== 'user' || name === undefined)
    return `${place} should start with user keyword followed by the username. `;
  if (hasSpaces(name)) return `'${place}: username '${name}' contains invalid characters. `;
  if (found.has(name)) return `WARNING: Duplicate user '${name}' found on line ${number}. `;
  if (found.size >= USERS_MAX) return `${place}: More than ${USERS_MAX} users. `;
  const user = users.newUser(name);
  found.set(name, user);
  const merged = mergeSelectors(rules);
  if (!Array.isArray(merged)) return `${place}: Unmatched parenthesis in selector definition.`;
  let errors = '';
  let isWrong = false;
  for (const rule of merged) {
    const problem = applyRule(user, trim(rule), users.rules);
    // Of other mistakes the first is told, and without the rule: it may be a password.
    if (problem === UNKNOWN_COMMAND) {
      errors += `${place}: Error in applying operation '${rule}': ${problem}. `;
    } else if (problem !== null && !isWrong) {
      errors += `${place}: ${problem}. `;
      isWrong = true;
    }
  }
  user.changed();
  return errors;
}
