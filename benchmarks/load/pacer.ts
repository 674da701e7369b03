import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

export interface Pacer {
  stop(): Promise<void>;
}

/**
 * Calls `tick` every `tickMs`, fractions of a millisecond included, which timers cannot; a worker
 * thread sleeps in between, so that waiting takes no CPU from the server as spinning would.
 */
export function startPacer(tickMs: number, tick: () => void): Pacer {
  // One cell: 1 while a tick is under way to the main thread, so that a busy one is never owed more
  // than one.
  const pending = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { tickMs, pending } });
  worker.on('message', () => {
    Atomics.store(pending, 0, 0);
    tick();
  });
  return {
    stop: async () => {
      await worker.terminate();
    },
  };
}

function pace(tickMs: number, pending: Int32Array): void {
  const sleep = new Int32Array(new SharedArrayBuffer(4));
  let next = performance.now() + tickMs;
  for (;;) {
    const rest = next - performance.now();
    if (rest > 0) Atomics.wait(sleep, 0, 0, rest);
    // A wake-up that came late is not made up for by a burst of ticks: one tick sends all that is
    // due.
    next = Math.max(next + tickMs, performance.now());
    if (Atomics.exchange(pending, 0, 1) === 0) parentPort!.postMessage(0);
  }
}

if (!isMainThread) {
  const { tickMs, pending } = workerData as { tickMs: number; pending: Int32Array };
  pace(tickMs, pending);
}
