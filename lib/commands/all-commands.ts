import { aclHandlers } from './acl.js';
import { bitfieldHandlers } from './bitfields.js';
import { bitmapHandlers } from './bitmaps.js';
import { blockingHandlers } from './blocking-handlers.js';
import { clientHandlers } from './client.js';
import { clientTrackingHandlers } from './client-tracking.js';
import { clusterHandlers } from './cluster.js';
import { commandHandlers } from './command.js';
import { configHandlers } from './config.js';
import { connectionHandlers } from './connection.js';
import { copyHandlers } from './copies.js';
import { dumpHandlers } from './dumps.js';
import { aclFacts } from './facts/acl-facts.js';
import { bitmapFacts } from './facts/bitmap-facts.js';
import { blockingFacts } from './facts/blocking-facts.js';
import { clusterFacts } from './facts/cluster-facts.js';
import { connectionFacts } from './facts/connection-facts.js';
import { genericFacts } from './facts/generic-facts.js';
import { geoFacts } from './facts/geo-facts.js';
import { hashFacts } from './facts/hash-facts.js';
import { hyperLogLogFacts } from './facts/hyperloglog-facts.js';
import { listFacts } from './facts/list-facts.js';
import { observationFacts } from './facts/observation-facts.js';
import { pubsubFacts } from './facts/pubsub-facts.js';
import { scriptFacts } from './facts/script-facts.js';
import { serverFacts } from './facts/server-facts.js';
import { setFacts } from './facts/set-facts.js';
import { sortedSetFacts } from './facts/sorted-set-facts.js';
import { sortedSetRangeFacts } from './facts/sorted-set-range-facts.js';
import { stringFacts } from './facts/string-facts.js';
import { additionalSubcommands } from './facts/tandis-facts.js';
import { transactionFacts } from './facts/transaction-facts.js';
import { valueFacts } from './facts/value-facts.js';
import { geoHandlers } from './geo.js';
import { geoSearchHandlers } from './geo-searches.js';
import { hashHandlers } from './hashes.js';
import { hyperLogLogHandlers } from './hyperloglogs.js';
import { keyHandlers } from './keys.js';
import { lcsHandlers } from './lcs.js';
import { listHandlers } from './lists.js';
import { memoryHandlers } from './memory.js';
import { observationHandlers } from './observation.js';
import { pubsubHandlers } from './pubsub.js';
import { scanHandlers } from './scan.js';
import { scriptHandlers } from './scripts.js';
import { serverHandlers } from './server.js';
import { setOperationHandlers } from './set-operations.js';
import { setHandlers } from './sets.js';
import { sortedSetOperationHandlers } from './sorted-set-operations.js';
import { sortedSetRangeHandlers } from './sorted-set-ranges.js';
import { sortedSetHandlers } from './sorted-sets.js';
import { sortHandlers } from './sorting.js';
import type { CommandFacts } from './spec.js';
import { stringHandlers } from './strings.js';
import { CommandTable } from './table.js';
import { transactionHandlers } from './transactions.js';

const REDIS_FACTS = [
  ...stringFacts,
  ...bitmapFacts,
  ...valueFacts,
  ...hyperLogLogFacts,
  ...hashFacts,
  ...setFacts,
  ...listFacts,
  ...sortedSetFacts,
  ...sortedSetRangeFacts,
  ...geoFacts,
  ...blockingFacts,
  ...genericFacts,
  ...connectionFacts,
  ...aclFacts,
  ...pubsubFacts,
  ...serverFacts,
  ...observationFacts,
  ...clusterFacts,
  ...transactionFacts,
  ...scriptFacts,
];

function withAdditions(facts: CommandFacts): CommandFacts {
  const more = additionalSubcommands[facts.name];
  return more ? { ...facts, subcommands: [...(facts.subcommands ?? []), ...more] } : facts;
}

/** The table of all commands of Tandis. */
export function createCommandTable(): CommandTable {
  return new CommandTable(REDIS_FACTS.map(withAdditions), [
    stringHandlers,
    bitmapHandlers,
    bitfieldHandlers,
    lcsHandlers,
    hyperLogLogHandlers,
    copyHandlers,
    dumpHandlers,
    sortHandlers,
    hashHandlers,
    setHandlers,
    setOperationHandlers,
    listHandlers,
    sortedSetHandlers,
    sortedSetRangeHandlers,
    sortedSetOperationHandlers,
    geoHandlers,
    geoSearchHandlers,
    blockingHandlers,
    keyHandlers,
    scanHandlers,
    connectionHandlers,
    aclHandlers,
    clientHandlers,
    clientTrackingHandlers,
    pubsubHandlers,
    serverHandlers,
    memoryHandlers,
    observationHandlers,
    configHandlers,
    commandHandlers,
    clusterHandlers,
    transactionHandlers,
    scriptHandlers,
  ]);
}
