import type { Request } from '../../protocol/request.js';
import type { ClientSession } from '../client-session.js';
import type { NodeServices } from '../services.js';
import { type CommandSpec, QueueMode } from '../spec.js';
import type { Place, Reason } from './acl-log.js';
import { Missing, type Refusal } from './selector.js';
import type { AclUser } from './user.js';

const STAR = 42;

const REASONS: Readonly<Record<Missing, Reason>> = {
  [Missing.Command]: 'command',
  [Missing.Key]: 'key',
  [Missing.Channel]: 'channel',
};

/** What a refusal is said in, by where the command stands. */
type Texts = Readonly<Record<Missing, (name: string) => string>>;

const AT_ONCE: Texts = {
  [Missing.Command]: (name) => `NOPERM this user has no permissions to run the '${name}' command`,
  [Missing.Key]: () =>
    'NOPERM this user has no permissions to access one of the keys used as arguments',
  [Missing.Channel]: () =>
    'NOPERM this user has no permissions to access one of the channels used as arguments',
};

const CHANGED =
  'NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. ' +
  'This command is no longer allowed for the following reason: ';

const IN_EXEC: Texts = {
  [Missing.Command]: () => `${CHANGED}no permission to execute the command or subcommand`,
  [Missing.Key]: () => `${CHANGED}no permission to touch the specified keys`,
  [Missing.Channel]: () =>
    `${CHANGED}no permission to access one of the channels used as arguments`,
};

const BY_SCRIPT = 'ERR The user executing the script ';

const IN_SCRIPT: Texts = {
  [Missing.Command]: () => `${BY_SCRIPT}can't run this command or subcommand`,
  [Missing.Key]: () =>
    `${BY_SCRIPT}can't access at least one of the keys mentioned in the command arguments`,
  [Missing.Channel]: () => `${BY_SCRIPT}can't publish to the channel mentioned in the command`,
};

const TEXTS: Readonly<Record<Place, Texts>> = {
  toplevel: AT_ONCE,
  multi: IN_EXEC,
  lua: IN_SCRIPT,
};

/** Between MULTI and EXEC a command that is not allowed there is refused for that, whoever sends it. */
const isOutOfPlace = ({ transaction }: ClientSession, spec: CommandSpec): boolean =>
  transaction !== null && spec.queueMode === QueueMode.NotAllowed;

/** Whether a client's user may not run a command that the client has sent. Asked where the user is not unrestricted. */
export function isForbidden(client: ClientSession, request: Request, spec: CommandSpec): boolean {
  if (isOutOfPlace(client, spec)) return false;
  const { user } = client;
  return user.refusal(spec, request) !== null || unnamedKeysError(user, request, spec) !== null;
}

/** The error for a client whose user may not run the command, which ACL LOG keeps; null where it may. */
export function forbiddenError(
  services: NodeServices,
  client: ClientSession,
  request: Request,
  spec: CommandSpec,
): string | null {
  if (isOutOfPlace(client, spec)) return null;
  const { user } = client;
  const refusal = user.refusal(spec, request);
  if (refusal === null) return unnamedKeysError(user, request, spec);
  const context = client.transaction === null ? 'toplevel' : 'multi';
  note(services, { client, user, request, spec, context }, refusal);
  return AT_ONCE[refusal.missing](spec.name);
}

/** The same when a command of a transaction or of a script is about to run. */
export function forbiddenInStep(
  services: NodeServices,
  attempt: Attempt & { readonly context: 'multi' | 'lua' },
): string | null {
  const refusal = attempt.user.refusal(attempt.spec, attempt.request);
  if (refusal === null) return unnamedKeysError(attempt.user, attempt.request, attempt.spec);
  note(services, attempt, refusal);
  return TEXTS[attempt.context][refusal.missing](attempt.spec.name);
}

/** Who wants to run what. `user` may not be the one that the client is by now. */
export interface Attempt {
  readonly client: ClientSession;
  readonly user: AclUser;
  readonly request: Request;
  readonly spec: CommandSpec;
  readonly context: Place;
}

function note(services: NodeServices, attempt: Attempt, { missing, index }: Refusal): void {
  const { client, user, request, spec, context } = attempt;
  const object = missing === Missing.Command ? spec.name : request.latin1(index);
  const event = { reason: REASONS[missing], context, object, username: user.name };
  services.users.log.add(event, client, services.now());
}

/** SORT reads keys by BY and GET that its arguments do not name: for users who may read every key. */
function unnamedKeysError(user: AclUser, request: Request, spec: CommandSpec): string | null {
  if (spec.name !== 'sort' && spec.name !== 'sort_ro') return null;
  if (user.mayReadUnnamedKeys(spec, request)) return null;
  for (let i = 2; i < request.argc; i++) {
    const left = request.argc - i - 1;
    if (request.is(i, 'LIMIT') && left >= 2) i += 2;
    else if (request.is(i, 'STORE')) i++;
    else if (request.is(i, 'BY') && left >= 1) {
      if (request.bytes(++i).includes(STAR)) return deniedOption('BY');
    } else if (request.is(i, 'GET') && left >= 1) return deniedOption('GET');
  }
  return null;
}

const deniedOption = (option: string): string =>
  `ERR ${option} option of SORT denied due to insufficient ACL permissions.`;
