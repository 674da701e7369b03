import type { Random } from '../support/control-network.js';
import type { Reply } from '../support/resp.js';
import type { Call } from './history.js';

/** Accounts between which amounts go to and fro: together they have nothing. Some are strings, others hashes. */
const ACCOUNTS: readonly string[] = ['t0', 't1', 't2', 't3'];
const HASHES: ReadonlySet<string> = new Set(['t1', 't2', 't3']);
/** So long that a change of what it holds is shorter than the whole. */
const FIELD = 'amount'.repeat(30);
/** Counted up by WATCH, GET, and SET within MULTI. */
const COUNTERS: readonly string[] = ['n0', 'n1'];
export const TRANSFER_KEYS: readonly string[] = [...ACCOUNTS, ...COUNTERS];
const AMOUNT_MAX = 100;

const changeOf = (key: string, amount: string): readonly string[] =>
  HASHES.has(key) ? ['HINCRBY', key, FIELD, amount] : ['INCRBY', key, amount];

const lookAt = (key: string): readonly string[] =>
  HASHES.has(key) ? ['HGET', key, FIELD] : ['GET', key];

const textOf = (reply: Reply | null): string =>
  reply !== null && 'text' in reply ? reply.text : '';

/** One client's transactions, each of them some commands on one connection. */
export class TransferUser {
  /** Replies of EXEC that looked at all accounts. */
  readonly looks: Call[] = [];
  /** Values that a counter has got by an EXEC which has succeeded. */
  readonly counted: { readonly key: string; readonly value: number; readonly call: Call }[] = [];
  #next: (readonly string[])[] = [];
  #kind: 'transfer' | 'look' | 'count' = 'look';
  #counter = '';
  #value = 0;

  get seen(): number {
    return this.looks.length + this.counted.length;
  }

  /** Whether there is more to be sent on the same connection. */
  get isOpen(): boolean {
    return this.#next.length > 0;
  }

  /** The first command of a transaction. */
  begin(random: Random): readonly string[] {
    const luck = random.next();
    if (luck < 0.35) {
      const amount = 1 + random.below(AMOUNT_MAX);
      const [from, to] = [random.pick(ACCOUNTS), random.pick(ACCOUNTS)];
      this.#kind = 'transfer';
      this.#next = [['MULTI'], changeOf(from, `-${amount}`), changeOf(to, `${amount}`), ['EXEC']];
    } else if (luck < 0.55) {
      this.#kind = 'look';
      this.#next = [['MULTI'], ...ACCOUNTS.map(lookAt), ['EXEC']];
    } else {
      this.#kind = 'count';
      this.#counter = random.pick(COUNTERS);
      this.#next = [
        ['WATCH', this.#counter],
        ['GET', this.#counter],
      ];
    }
    return this.next();
  }

  drop(): void {
    this.#next = [];
  }

  next(): readonly string[] {
    return this.#next.shift()!;
  }

  /** False when the connection is of no use any more: the transaction that is open on it is not to be gone on with. */
  answered(call: Call): boolean {
    const [name] = call.args;
    const { reply, outcome } = call;
    if (outcome !== 'replied' || reply === null || reply.type === '-') {
      this.#next = [];
      return false;
    }
    if (name === 'GET' && this.#kind === 'count') {
      this.#value = Number(textOf(reply) === '$' ? 0 : textOf(reply)) + 1;
      this.#next = [['MULTI'], ['SET', this.#counter, String(this.#value)], ['EXEC']];
    }
    if (name !== 'EXEC' || !('items' in reply)) return true;
    if (this.#kind === 'look') this.looks.push(call);
    if (this.#kind === 'count') {
      this.counted.push({ key: this.#counter, value: this.#value, call });
    }
    return true;
  }
}

/** What does not hold of all clients' transactions; null when all does. */
export function checkTransfers(users: readonly TransferUser[]): string | null {
  for (const call of users.flatMap(({ looks }) => looks)) {
    const { items } = call.reply as Extract<Reply, { items: unknown }>;
    const sum = items.reduce(
      (all, item) => all + (item.type === '$' ? Number(textOf(item)) : 0),
      0,
    );
    if (sum !== 0)
      return `a transaction has seen half of a transfer: call ${call.id} of ${call.node}`;
  }
  const counted = users.flatMap((user) => user.counted);
  const seen = new Map<string, Call>();
  for (const { key, value, call } of counted) {
    const other = seen.get(`${key} ${value}`);
    if (other !== undefined) {
      return `${key} was counted to ${value} twice, by calls ${other.id} and ${call.id}: an update is lost`;
    }
    seen.set(`${key} ${value}`, call);
  }
  for (const key of COUNTERS) {
    const inOrder = counted
      .filter((one) => one.key === key)
      .sort((a, b) => a.call.invokedAt - b.call.invokedAt);
    for (const { value, call } of inOrder) {
      const before = inOrder.find(
        (one) => one.value > value && one.call.returnedAt < call.invokedAt,
      );
      if (before !== undefined)
        return `${key} was counted to ${value} after ${before.value}: call ${call.id}`;
    }
  }
  return null;
}
