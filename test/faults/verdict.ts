import { type Call, showCall } from '../simulation/history.js';
import { KeyModel } from '../simulation/key-model.js';
import { linearize } from '../simulation/linearizability.js';

/** A key whose history cannot be put in order. */
export interface Violation {
  readonly key: string;
  /** What does not fit, and the whole history of the key. */
  readonly what: string;
  readonly history: readonly Call[];
}

export interface Verdict {
  readonly keys: number;
  /** Keys whose search was given up. */
  readonly undecided: number;
  readonly violation: Violation | null;
}

/** Reads the histories of all keys with the simulator's checker. Clocks of nodes are apart by `skewMs` at most. */
export function judge(calls: readonly Call[], skewMs: number): Verdict {
  const byKey = new Map<string, Call[]>();
  for (const call of calls) {
    const key = call.keys[0]!;
    const history = byKey.get(key);
    if (history === undefined) byKey.set(key, [call]);
    else history.push(call);
  }
  let undecided = 0;
  for (const [key, history] of byKey) {
    const model = new KeyModel(skewMs);
    const verdict = linearize(history, model);
    if (verdict.kind === 'undecided') undecided++;
    if (verdict.kind !== 'violation') continue;
    const show = (list: readonly Call[]): string => list.map(showCall).join('\n  ');
    const inTime = [...history].sort((a, b) => a.invokedAt - b.invokedAt);
    const what =
      `${key} is not linearizable. Its history:\n  ${show(inTime)}\n` +
      `The longest order ends with\n  ${show(verdict.order.slice(-8))}\n` +
      `and leaves ${model.show(verdict.state)}; none of these fits on:\n  ${show(verdict.blocked)}`;
    return { keys: byKey.size, undecided, violation: { key, what, history: inTime } };
  }
  return { keys: byKey.size, undecided, violation: null };
}
