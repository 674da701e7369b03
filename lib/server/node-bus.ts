import type { Logger } from '../base/logger.js';
import { randomId } from '../base/random.js';
import type { ClusterNode } from '../cluster/node.js';
import type { ClusterHost } from '../cluster/node-parts.js';
import type { BusHandler, BusTransport } from './bus-transport.js';
import type { JoinResolver } from './join-resolver.js';

/** What the bus tells the cluster part. The node is there before the bus is open. */
export function busHandler(node: () => ClusterNode, beginTurn: () => void): BusHandler {
  return {
    beginTurn,
    controlOpened: (link) => node().controlOpened(link),
    controlAccepted: (link) => node().controlAccepted(link),
    controlClosed: (link, end) => node().controlClosed(link, end),
    controlMessage: (link, message) => node().controlMessage(link, message),
    dataOpened: (link) => node().dataOpened(link),
    dataAccepted: (link, from) => node().dataAccepted(link, from),
    dataClosed: (link) => node().dataClosed(link),
    dataReceived: (link, chunk, length) => node().dataReceived(link, chunk, length),
    flush: () => node().flush(),
  };
}

/** What the cluster part asks of its host. */
export function clusterHost(bus: BusTransport, join: JoinResolver, logger: Logger): ClusterHost {
  return {
    dial: (address) => bus.dialControl(address),
    send: (link, message) => bus.sendControl(link, message),
    close: (link) => bus.closeLink(link),
    joinAddresses: () => join.current,
    randomId,
    log: (level, event, facts) => logger[level](event, facts),
    dialData: (member) => bus.dialData(member),
    sendData: (link, buffer, start, end) => bus.sendData(link, buffer, start, end),
    closeData: (link) => bus.closeLink(link),
    wantFlush: () => bus.wantFlush(),
    wantFlushIn: (milliseconds) => bus.wantFlushIn(milliseconds),
    random: () => Math.random(),
  };
}
