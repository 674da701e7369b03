import { Role, ValueType } from '../../lib/store/store.js';
import { findKey } from './checks.js';
import { contentOf } from './contents.js';
import { type Call, showCall } from './history.js';
import type { Process } from './process.js';
import type { Found } from './violation.js';

/**
 * In a cluster where nothing fails a client does not wait for longer beside an element: three messages that are late, and a
 * moment of the nodes.
 */
export const WAKE_MS_MAX = 1600;

/** An element that lies in a key which somebody waits for. */
interface Lying {
  readonly key: string;
  readonly content: string;
  readonly since: number;
}

/** Clients that wait for a key, and an element that lies there all the time: the wake-up was lost. */
export class WakeUps {
  #lying = new Map<Call, Lying>();

  /** `isQuiet`: nothing fails, all serve. */
  look(
    now: number,
    isQuiet: boolean,
    processes: readonly Process[],
    waiting: readonly Call[],
  ): Found | null {
    const before = this.#lying;
    this.#lying = new Map();
    if (!isQuiet) return null;
    for (const call of waiting) {
      const lying = this.#lookAt(call, before.get(call), now, processes);
      if (lying === null) continue;
      if (now - lying.since > WAKE_MS_MAX) {
        const what = `${lying.content} has been in ${lying.key} for ${WAKE_MS_MAX} ms, and was not given to ${showCall(call)}`;
        return { what, key: lying.key };
      }
      this.#lying.set(call, lying);
    }
    return null;
  }

  #lookAt(
    call: Call,
    before: Lying | undefined,
    now: number,
    processes: readonly Process[],
  ): Lying | null {
    for (const key of before === undefined ? call.keys : [before.key, ...call.keys]) {
      // What is moved goes to the second key: nobody waits for that.
      if (call.args[0] === 'BLMOVE' && key !== call.args[1]) continue;
      const elements = elementsAt(processes, key);
      if (elements.length === 0) continue;
      if (before?.key === key && elements.includes(before.content)) return before;
      return { key, content: elements[0]!, since: now };
    }
    return null;
  }
}

/** Elements of the queue, as its primary has them. */
function elementsAt(processes: readonly Process[], key: string): string[] {
  for (const { store } of processes) {
    const ref = findKey(store, key);
    if (ref === 0 || store.role(ref) !== Role.Primary || store.type(ref) === ValueType.None)
      continue;
    return (JSON.parse(contentOf(store, ref)) as [string, string][]).map(([name]) => name);
  }
  return [];
}
