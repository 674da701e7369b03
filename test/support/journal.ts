/** One change of one key; `value` null for its removal. */
export interface Change {
  readonly key: string;
  readonly value: string | null;
}

interface History {
  /** The newest change that was acknowledged. */
  acked: Change;
  /** Changes that may still take effect: begun, and neither acknowledged nor known not to have run. */
  readonly open: Set<Change>;
  /** Changes that began after the acknowledged one did, or whose outcome stayed unknown, which may be in effect. */
  readonly possible: Set<Change>;
}

/**
 * What clients were told about their writes, and so what a read may show: the newest acknowledged value, or one whose
 * outcome is unknown. Each key has one writer that waits for the outcome of a change before it begins the next.
 */
export class Journal {
  readonly #histories = new Map<string, History>();
  acknowledged = 0;
  unknown = 0;

  begin(key: string, value: string | null): Change {
    const change = { key, value };
    this.#historyOf(key).open.add(change);
    return change;
  }

  ack(change: Change): void {
    const history = this.#historyOf(change.key);
    history.open.delete(change);
    history.acked = change;
    this.acknowledged++;
  }

  /** The cluster has said that it did not run. */
  withdraw(change: Change): void {
    this.#historyOf(change.key).open.delete(change);
  }

  /** No answer came, or one that says that nobody knows. It may have taken effect, or take effect later. */
  lose(change: Change): void {
    const history = this.#historyOf(change.key);
    history.open.delete(change);
    history.possible.add(change);
    this.unknown++;
  }

  keys(): string[] {
    return [...this.#histories.keys()];
  }

  /** What is wrong with a value read while nobody writes; null for nothing. */
  check(key: string, value: string | null): string | null {
    const { acked, open, possible } = this.#historyOf(key);
    if (value === acked.value) return null;
    for (const change of [...open, ...possible]) if (value === change.value) return null;
    return `${key} is ${show(value)}, acknowledged was ${show(acked.value)}`;
  }

  /** The value that all nodes agreed on: what was unknown before is known now. */
  settle(key: string, value: string | null): void {
    const history = this.#historyOf(key);
    history.acked = { key, value };
    history.possible.clear();
  }

  #historyOf(key: string): History {
    let history = this.#histories.get(key);
    if (history === undefined) {
      history = { acked: { key, value: null }, open: new Set(), possible: new Set() };
      this.#histories.set(key, history);
    }
    return history;
  }
}

function show(value: string | null): string {
  return value === null ? 'absent' : value.slice(0, 60);
}
