import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { cursorOrReply, isAll, scanOptionsOrReply } from './scan-options.js';
import type { CommandContext, Handlers } from './spec.js';

function scan(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const cursor = cursorOrReply(request, 1, reply);
  if (cursor === undefined) return;
  const options = scanOptionsOrReply(request, 2, true, reply);
  if (options !== undefined) context.clusterWide({ kind: 'scan', cursor, ...options });
}

function keys(context: CommandContext, request: Request): void {
  const pattern = request.bytes(1);
  context.clusterWide({ kind: 'keys', pattern: isAll(pattern) ? null : pattern });
}

function randomkey(context: CommandContext): void {
  context.clusterWide({ kind: 'randomkey' });
}

function dbsize(context: CommandContext): void {
  context.clusterWide({ kind: 'dbsize' });
}

export const scanHandlers: Handlers = {
  scan: { run: scan },
  keys: { run: keys },
  randomkey: { run: randomkey },
  dbsize: { run: dbsize },
};
