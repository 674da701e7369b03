import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { run } from './test-cluster.js';

const MAIN = fileURLToPath(new URL('./flood-main.js', import.meta.url));

/** A process that floods a port with strangers. */
export class Flood {
  /** Connections so far. */
  opened = 0;
  readonly #child: ChildProcess;

  private constructor(from: string, port: number, atOnce: number, words: readonly Buffer[]) {
    const hex = words.map((bytes) => bytes.toString('hex'));
    this.#child = run([MAIN, from, String(port), String(atOnce), ...hex], (text) => {
      this.opened = Number(text.trim().split('\n').at(-1));
    });
  }

  /** From an address of this machine. Resolves once the first have been there. It ends with its test at the latest. */
  static async start(
    t: Test,
    from: string,
    port: number,
    atOnce: number,
    words: readonly Buffer[],
  ): Promise<Flood> {
    const flood = new Flood(from, port, atOnce, words);
    t.teardown(() => flood.end());
    while (flood.opened < atOnce) await once(flood.#child.stdout!, 'data');
    return flood;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

/** How long things take, to be printed. */
export class Times {
  readonly #ms: number[] = [];

  get count(): number {
    return this.#ms.length;
  }

  async of<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const from = performance.now();
    const result = await attempt();
    this.#ms.push(performance.now() - from);
    return result;
  }

  toString(): string {
    const sorted = this.#ms.toSorted((a, b) => a - b);
    const at = (share: number): string => sorted[Math.floor(sorted.length * share)]!.toFixed(1);
    return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
  }
}
