import { setTimeout as delay } from 'node:timers/promises';
import type { GeneratorProcess } from '../load/generator-process.js';
import { KEY_BYTES } from '../load/request-bytes.js';
import type { RunSpec } from '../load/run-spec.js';
import { meanValueBytes } from '../load/workloads.js';
import { stopAll } from '../servers/server.js';
import type { Case } from './cases.js';
import { checkedRun, fillSpec, type Progress, type Side } from './compare-load.js';
import { residentBytes, TTL_SECONDS } from './compare-memory.js';
import type { Settings } from './settings.js';

/** In each round so many keys are drawn as there are, and get values of drawn sizes. */
const ROUNDS = 10;
const SHRUNK_BYTES = 300;
/** A server may give memory back at its own pace: so long it may, while it still does. */
const GIVE_BACK_MS_MAX = 600_000;
/** Memory goes back in steps, some seconds apart. */
const GIVE_BACK_CHECK_MS = 20_000;
const STILL_FALLING = 0.99;

/** Resident bytes per byte of keys and values; the slowest reply to any command, milliseconds. */
export interface WearResult {
  readonly fresh: number;
  readonly updated: number;
  readonly shrunk: number;
  readonly longestLoadMs: number;
  readonly longestUpdateMs: number;
}

/** Fresh servers each time, one after the other: load all sessions, ten rounds of updates, shrink all. */
export async function compareWear(
  generator: GeneratorProcess,
  one: Case,
  sides: readonly Side[],
  settings: Settings,
  progress: Progress,
): Promise<WearResult[][]> {
  const results: WearResult[][] = [];
  for (let round = 0; round < settings.wearPairs; round++) {
    const row: WearResult[] = [];
    for (const side of sides) {
      row.push(await wearOne(generator, one, side, settings));
      progress(`${side.subject.label}: ${JSON.stringify(row.at(-1))}`);
    }
    results.push(row);
  }
  return results;
}

async function wearOne(
  generator: GeneratorProcess,
  one: Case,
  side: Side,
  settings: Settings,
): Promise<WearResult> {
  const servers = await side.launcher.start(side.subject.nodes);
  const base = { ...fillSpec(one, servers, settings), ttlSeconds: TTL_SECONDS };
  const perLiveByte = (valueBytes: number) =>
    residentBytes(servers) / (base.keys * (KEY_BYTES + valueBytes));
  const run = async (changes: Partial<RunSpec>): Promise<number> => {
    const result = await checkedRun(generator, { ...base, ...changes }, side.subject);
    return result.latencyUs.max / 1000;
  };
  try {
    const longestLoadMs = await run({ workload: 'fill' });
    await delay(settings.memorySettleMs);
    const fresh = perLiveByte(base.valueBytes);
    let longestUpdateMs = 0;
    for (let i = 1; i <= ROUNDS; i++) {
      const longest = await run({ workload: 'update', seed: base.seed + i });
      longestUpdateMs = Math.max(longestUpdateMs, longest);
    }
    await delay(settings.memorySettleMs);
    const updated = perLiveByte(meanValueBytes({ ...base, workload: 'update' }));
    await run({ workload: 'fill', valueBytes: SHRUNK_BYTES });
    await untilCalm(() => residentBytes(servers));
    return { fresh, updated, shrunk: perLiveByte(SHRUNK_BYTES), longestLoadMs, longestUpdateMs };
  } finally {
    await stopAll(servers.children);
  }
}

/** Waits while the memory is shrinking. */
async function untilCalm(resident: () => number): Promise<void> {
  const giveUpAt = performance.now() + GIVE_BACK_MS_MAX;
  for (let before = Infinity; resident() < before * STILL_FALLING; ) {
    if (performance.now() > giveUpAt) return;
    before = resident();
    await delay(GIVE_BACK_CHECK_MS);
  }
}
