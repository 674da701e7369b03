import type { Config } from '../base/config.js';
import { OptionError } from '../base/option-values.js';
import { inConfiguration, inFile, parseAclText } from '../commands/acl/acl-file.js';
import { NOBODY, type Users } from '../commands/acl/users.js';
import type { AclFileStore } from './acl-file-store.js';

/** The users of the ACL file, or those of the configuration. Throws OptionError where these are not right. */
export function loadUsers(config: Config, users: Users, aclFile: AclFileStore): void {
  const path = config.get('aclfile');
  const lines = config.get('user');
  if (path === '' && lines.length === 0) return;
  if (path !== '' && lines.length > 0) throw new OptionError('give users or an aclfile, not both');
  const content = lines.map((line) => `user ${Buffer.from(line).toString('latin1')}\n`).join('');
  const text = path === '' ? { content } : aclFile.read();
  const placeOf = path === '' ? inConfiguration(lines) : inFile(path);
  const found = typeof text === 'string' ? text : parseAclText(text.content, placeOf, users);
  if (typeof found === 'string') throw new OptionError(found);
  users.replaceAll(found, NOBODY);
}
