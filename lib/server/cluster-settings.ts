import type { Config } from '../base/config.js';
import { readEventClasses } from '../base/event-classes.js';
import { KEYS_PER_TURN } from '../base/limits.js';
import type { Logger } from '../base/logger.js';
import { OptionError } from '../base/option-values.js';
import { isOptionName, OPTION_NAMES, optionFacts } from '../base/options.js';
import type { ClusterConfig } from '../cluster/cluster-config.js';
import { PART_BYTES } from '../cluster/large-frame.js';
import type { ClusterNode } from '../cluster/node.js';
import { TOMBSTONES_MAX } from '../cluster/tombstone-keeping.js';

const SECOND_MS = 1000;

/** The options that the cluster part works by; those that may change at run time are kept up to date. */
export function clusterSettings(config: Config): ClusterConfig {
  const settings: ClusterConfig = {
    nodeTimeoutMs: config.get('node-timeout'),
    partitionPolicy: config.get('partition-policy'),
    locationList: config.get('location-list'),
    tombstoneTtlMs: config.get('tombstone-ttl'),
    tombstonesMax: TOMBSTONES_MAX,
    minBackupsToWrite: 0,
    takeOverAfter: 0,
    leaveTimeoutMs: 0,
    snapshotTimeoutMs: config.get('snapshot-timeout') * SECOND_MS,
    expect: config.get('expect'),
    maxMemoryBytes: 0,
    maxMemoryPolicy: 'noeviction',
    maxMemorySamples: 0,
    useCounting: null,
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
      'lfu-log-factor',
      'lfu-decay-time',
    ],
    () => {
      settings.minBackupsToWrite = config.get('min-backups-to-write');
      settings.takeOverAfter = config.get('take-over-after');
      settings.leaveTimeoutMs = config.get('leave-timeout') * SECOND_MS;
      settings.maxMemoryBytes = config.get('maxmemory');
      settings.maxMemoryPolicy = config.get('maxmemory-policy');
      settings.maxMemorySamples = config.get('maxmemory-samples');
      settings.useCounting = config.get('maxmemory-policy').endsWith('lfu')
        ? { logFactor: config.get('lfu-log-factor'), decayMinutes: config.get('lfu-decay-time') }
        : null;
    },
  );
  return settings;
}

/** Options that are the same on all nodes follow what the others have set, and the node follows the options. */
export function shareSettings(config: Config, node: ClusterNode, logger: Logger): void {
  const { sharedSettings, keyspace } = node;
  config.watch(['notify-keyspace-events'], () =>
    keyspace.events.ask(readEventClasses(config.get('notify-keyspace-events'))),
  );
  for (const name of OPTION_NAMES) {
    if (optionFacts(name).shared) sharedSettings.start(name, config.show(name));
  }
  sharedSettings.changed = (name, text) => {
    if (!isOptionName(name) || !optionFacts(name).shared) return;
    try {
      config.change([[name, text]]);
      logger.info('option set by another node', { name, text });
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      logger.warn('option of another node refused', { name, text, error: error.message });
    }
  };
}
