import { Reports } from '../admin/console/report.js';
import type { ClusterNode } from '../cluster/node.js';
import type { Dispatcher } from '../commands/dispatcher.js';
import type { NodeServices } from '../commands/services.js';
import type { CommandTable } from '../commands/table.js';
import type { AdminPort } from './admin-port.js';

export interface OperatorAccess {
  readonly admin: AdminPort | null;
  readonly node: ClusterNode;
  readonly dispatcher: Dispatcher;
  readonly services: NodeServices;
  readonly table: CommandTable;
  /** Reads the clocks. Returns the wall clock, Unix milliseconds. */
  beginTurn(): number;
  drain(): void;
}

/** What this node says of itself, at its own console and at those of the others. */
export function openToOperators(access: OperatorAccess): void {
  const { admin, node, dispatcher, services, table } = access;
  const { events, memberQuestions: questions, settling } = node;
  const reports = new Reports({
    services,
    table,
    events,
    slowLog: dispatcher.slowLog,
    hotKeys: dispatcher.hotKeys,
    ownKeysWithoutBackup: () => settling.keysWithoutBackup,
  });
  questions.answers = {
    report: (since) => reports.make(since),
    drain: () => access.drain(),
  };
  let news: (() => void) | null = null;
  events.listeners.push(() => news?.());
  admin?.open({
    services,
    table,
    questions,
    beginTurn: () => access.beginTurn(),
    onNews: (listener) => {
      news = listener;
    },
  });
}
