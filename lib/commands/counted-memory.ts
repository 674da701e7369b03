import { clientBuffers } from './client-buffers.js';
import type { NodeServices } from './services.js';

/** What is compared with maxmemory: part by part, in bytes, and all of it. */
export interface CountedMemory {
  readonly primaries: number;
  readonly backups: number;
  readonly tombstones: number;
  /** What clients have sent, and what they have not taken. */
  readonly clientBuffers: number;
  /** What members have not acknowledged. */
  readonly busBacklog: number;
  /** Large values that are coming in from members. */
  readonly assembly: number;
  readonly total: number;
}

export function countedMemory(services: NodeServices): CountedMemory {
  const { usedBytes, primaryBytes, backupBytes, tombstoneBytes } = services.store();
  const { busBacklogBytes, assemblyBytes } = services.cluster.tandis();
  const { query, output } = clientBuffers(services.clients.all());
  return {
    primaries: primaryBytes,
    backups: backupBytes,
    tombstones: tombstoneBytes,
    clientBuffers: query + output,
    busBacklog: busBacklogBytes,
    assembly: assemblyBytes,
    total: usedBytes + query + output + busBacklogBytes + assemblyBytes,
  };
}
