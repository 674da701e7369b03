import type { Request } from '../../protocol/request.js';
import type { CommandSpec } from '../spec.js';
import type { ScriptEngine } from './script-engine.js';
import { readScript } from './script-header.js';

/** Whether a command is a script that may write: as in Redis all but those of EVAL_RO, and those that say `no-writes`. */
export function isWritingScript(
  spec: CommandSpec,
  request: Request,
  scripts: Pick<ScriptEngine, 'sourceOf'>,
): boolean {
  if (spec.name !== 'eval' && spec.name !== 'evalsha') return false;
  const named = request.latin1(1);
  const isText = spec.name === 'eval';
  const source = isText ? Buffer.from(named, 'latin1') : scripts.sourceOf(named.toLowerCase());
  const script = source === null ? '' : readScript(source);
  return typeof script === 'string' || !script.noWrites;
}
