import { CollectionModel, isCollection } from './collections.js';
import { type Call, showCall } from './history.js';
import { KeyModel } from './key-model.js';
import { linearize } from './linearizability.js';
import { checkPairs, PAIR_KEYS } from './pairs.js';
import type { Peace } from './peace.js';
import { isQueue, queueHistory } from './queues.js';
import { STEADY_KEYS } from './scans.js';
import type { Tally } from './tally.js';
import { checkTransfers, TRANSFER_KEYS } from './transfers.js';
import { throwFound, Violation } from './violation.js';
import type { Workload } from './workload.js';

/** What the checks of histories need to know of a run. */
export interface HistoryFacts {
  /** Two clocks are apart by at most this. */
  readonly clockSkewMs: number;
  /** One clock may have been ahead of all others by so much: what it has set lives longer. */
  readonly clockJumpMs: number;
  /** Keys may vanish at any time. */
  readonly isEvicting: boolean;
}

/** A key that is about to expire is judged by a tick of some node. */
const EXPIRY_SLACK_MS = 200;

/** What the clients of a run saw, judged as a whole when it is over. */
export class HistoryChecks {
  readonly #workload: Workload;
  readonly #facts: HistoryFacts;
  readonly #tally: Tally;

  constructor(workload: Workload, facts: HistoryFacts, tally: Tally) {
    this.#workload = workload;
    this.#facts = facts;
    this.#tally = tally;
  }

  run(): void {
    this.#checkKeyspace();
    const byKey = new Map<string, Call[]>(this.#workload.keys.map((key) => [key, []]));
    for (const call of this.#workload.calls) {
      for (const key of call.keys) byKey.get(key)!.push(call);
    }
    for (const [key, calls] of byKey) {
      this.checkKey(`key ${key}`, key, [isQueue(key) ? queueHistory(calls, key) : calls]);
    }
  }

  /** What subscribers were told, and were not. */
  checkMessages(peace: Peace): void {
    const { messages } = this.#workload;
    const found = messages.check(peace);
    this.#tally.check('messages', messages.expected);
    if (found !== null) throw new Violation(found);
  }

  /** One of these must be linearizable: more than one where it cannot be known which of two changes won. */
  checkKey(what: string, key: string, histories: readonly (readonly Call[])[]): void {
    const { clockSkewMs, clockJumpMs, isEvicting } = this.#facts;
    const skewMs = clockSkewMs + EXPIRY_SLACK_MS;
    const model = isCollection(key)
      ? new CollectionModel()
      : new KeyModel(skewMs, isEvicting, skewMs + clockJumpMs);
    this.#tally.check('histories');
    const verdicts = histories.map((calls) => linearize(calls, model));
    if (verdicts.some(({ kind }) => kind !== 'violation')) {
      if (verdicts.every(({ kind }) => kind !== 'linearizable')) this.#tally.count('undecided');
      return;
    }
    const verdict = verdicts[0]!;
    if (verdict.kind !== 'violation') return;
    const order = verdict.order.slice(-12).map(showCall);
    const blocked = verdict.blocked.map(showCall);
    throw new Violation(
      `${what} is not linearizable. The longest order ends with\n  ${order.join('\n  ')}\n` +
        `and leaves ${model.show(verdict.state)}; none of these fits on:\n  ${blocked.join('\n  ')}`,
      key,
    );
  }

  #checkKeyspace(): void {
    const { calls, scans } = this.#workload;
    this.#tally.check('scans', scans.count);
    throwFound(scans.check(calls));
    const keysMax =
      this.#workload.keys.length + PAIR_KEYS.length + STEADY_KEYS.length + TRANSFER_KEYS.length;
    if (this.#facts.isEvicting) return;
    const users = this.#workload.clients.map(({ transfers }) => transfers);
    this.#tally.check(
      'transfers',
      users.reduce((sum, user) => sum + user.seen, 0),
    );
    const found = checkTransfers(users);
    if (found !== null) throw new Violation(found, TRANSFER_KEYS[0]);
    throwFound(scans.checkSizes(calls, keysMax));
    this.#tally.check('histories');
    const pairs = checkPairs(calls);
    if (pairs.isUndecided) this.#tally.count('undecided');
    if (pairs.violation !== null) throw new Violation(pairs.violation, PAIR_KEYS[0]);
  }
}
