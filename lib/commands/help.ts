import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Handler } from './spec.js';

/** The HELP subcommand of a container, in Redis's form: `lines` are those between the first and the last two. */
export function helpHandler(lines: readonly string[]): Handler {
  return (context, _request, reply: ReplyWriter) => {
    const name = context.spec.name.split('|')[0]!.toUpperCase();
    reply.array(lines.length + 3);
    reply.simple(`${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
    for (const line of lines) reply.simple(line);
    reply.simple('HELP');
    reply.simple('    Prints this help.');
  };
}
