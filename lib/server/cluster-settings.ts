import type { Config } from '../base/config.js';
import { KEYS_PER_TURN } from '../base/limits.js';
import type { ClusterConfig } from '../cluster/cluster-config.js';
import { PART_BYTES } from '../cluster/large-frame.js';

const SECOND_MS = 1000;

/** The options that the cluster part works by; those that may change at run time are kept up to date. */
export function clusterSettings(config: Config): ClusterConfig {
  const settings: ClusterConfig = {
    nodeTimeoutMs: config.get('node-timeout'),
    partitionPolicy: config.get('partition-policy'),
    locationList: config.get('location-list'),
    tombstoneTtlMs: config.get('tombstone-ttl'),
    minBackupsToWrite: 0,
    takeOverAfter: 0,
    leaveTimeoutMs: 0,
    maxMemoryBytes: 0,
    maxMemoryPolicy: 'noeviction',
    maxMemorySamples: 0,
    partBytes: PART_BYTES,
    stepKeys: KEYS_PER_TURN,
  };
  config.watch(
    [
      'min-backups-to-write',
      'take-over-after',
      'leave-timeout',
      'maxmemory',
      'maxmemory-policy',
      'maxmemory-samples',
    ],
    () => {
      settings.minBackupsToWrite = config.get('min-backups-to-write');
      settings.takeOverAfter = config.get('take-over-after');
      settings.leaveTimeoutMs = config.get('leave-timeout') * SECOND_MS;
      settings.maxMemoryBytes = config.get('maxmemory');
      settings.maxMemoryPolicy = config.get('maxmemory-policy');
      settings.maxMemorySamples = config.get('maxmemory-samples');
    },
  );
  return settings;
}
