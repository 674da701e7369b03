import { setTimeout as delay } from 'node:timers/promises';
import type { GeneratorProcess } from '../load/generator-process.js';
import { KEY_BYTES } from '../load/request-bytes.js';
import { residentBytesOf } from '../process-stats.js';
import { type RunningServers, stopAll } from '../servers/server.js';
import type { Case } from './cases.js';
import { checkedRun, fillSpec, type Progress, type Side } from './compare-load.js';
import type { Settings } from './settings.js';

/** Expiry of the sessions: one that does not run out meanwhile. */
export const TTL_SECONDS = 86_400;

export interface MemoryResult {
  /** Resident bytes of all processes before and after the keys were written. */
  readonly emptyBytes: number;
  readonly residentBytes: number;
  /** Bytes of keys and values, once for each node. */
  readonly liveBytes: number;
  readonly fillOperationsPerSecond: number;
}

/**
 * Fresh servers each time, one after the other: start, write the sessions, read the resident
 * memory, stop.
 */
export async function compareMemory(
  generator: GeneratorProcess,
  one: Case,
  sides: readonly Side[],
  settings: Settings,
  progress: Progress,
): Promise<MemoryResult[][]> {
  const results: MemoryResult[][] = [];
  for (let round = 0; round < settings.pairs; round++) {
    const row: MemoryResult[] = [];
    for (const side of sides) row.push(await measureOne(generator, one, side, settings));
    results.push(row);
    const sizes = row.map((result) => `${Math.round(result.residentBytes / 2 ** 20)} MB`);
    progress(`pair ${round + 1}: ${sizes.join(' / ')}`);
  }
  return results;
}

async function measureOne(
  generator: GeneratorProcess,
  one: Case,
  side: Side,
  settings: Settings,
): Promise<MemoryResult> {
  const servers = await side.launcher.start(side.subject.nodes);
  try {
    const emptyBytes = residentBytes(servers);
    const spec = fillSpec(one, servers, { ...settings, keys: settings.memoryKeys });
    const fill = await checkedRun(generator, { ...spec, ttlSeconds: TTL_SECONDS }, side.subject);
    await delay(settings.memorySettleMs);
    return {
      emptyBytes,
      residentBytes: residentBytes(servers),
      liveBytes: settings.memoryKeys * (KEY_BYTES + settings.valueBytes) * side.subject.nodes,
      fillOperationsPerSecond: fill.operationsPerSecond,
    };
  } finally {
    await stopAll(servers.children);
  }
}

export function residentBytes(servers: RunningServers): number {
  return servers.children.reduce((sum, child) => sum + residentBytesOf(child.pid), 0);
}
