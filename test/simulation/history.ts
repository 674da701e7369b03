import type { Reply } from '../support/resp.js';

/**
 * What became of a command: its reply came, it certainly did not run, or it may have run (connection lost, or an error
 * that says so), or nothing has come yet.
 */
export type Outcome = 'replied' | 'not-run' | 'unknown' | 'pending';

/** One command of a client, as the client saw it. Times are true milliseconds. */
export interface Call {
  readonly id: number;
  readonly client: number;
  readonly node: string;
  readonly args: readonly string[];
  /** Every key that the command may read or change. */
  readonly keys: readonly string[];
  readonly invokedAt: number;
  /** Infinity unless a reply came. */
  returnedAt: number;
  outcome: Outcome;
  reply: Reply | null;
}

/** Errors of a node that has not run the command. */
const NOT_RUN = ['TRYAGAIN', 'LOADING', 'CLUSTERDOWN', 'NOREPLICAS', 'OOM'];

export function outcomeOf(reply: Reply): Outcome {
  if (reply.type !== '-') return 'replied';
  if (reply.text.includes('outcome unknown')) return 'unknown';
  return NOT_RUN.some((code) => reply.text.startsWith(code)) ? 'not-run' : 'replied';
}

export const textOf = (reply: Reply | null): string =>
  reply !== null && 'text' in reply ? reply.text : '';

/** One line, with long values cut. */
export function showReply(reply: Reply | null): string {
  if (reply === null) return '';
  if ('items' in reply) return `[${reply.items.map(showReply).join(' ')}]`;
  if (reply.type === '_') return 'nil';
  const text = reply.text.length > 60 ? `${reply.text.slice(0, 57)}...` : reply.text;
  return `${reply.type}${text}`;
}

export function showCall(call: Call): string {
  const args = call.args.map((arg) => (arg.length > 40 ? `${arg.slice(0, 37)}...` : arg));
  const until = call.returnedAt === Number.POSITIVE_INFINITY ? '...' : call.returnedAt.toFixed(3);
  const result = call.outcome === 'replied' ? showReply(call.reply) : call.outcome;
  const times = `${call.invokedAt.toFixed(3)} to ${until}`;
  return `#${call.id} c${call.client}@${call.node} ${times}  ${args.join(' ')} -> ${result}`;
}
