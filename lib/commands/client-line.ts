import { Kind } from '../cluster/announcements.js';
import type { TopicKind } from '../cluster/interest.js';
import type { ClientSession } from './client-session.js';
import { redirectOf } from './client-tracking.js';

const seconds = (fromMs: number, toMs: number) => Math.max(Math.floor((toMs - fromMs) / 1000), 0);

function flagsOf(client: ClientSession): string {
  const { subscriptions, transaction, blocked, tracking, noEvict } = client;
  const flags = [
    client.monitors && 'O',
    subscriptions && 'P',
    transaction && 'x',
    (blocked?.isBlocked || client.isPostponed) && 'b',
    tracking && 't',
    tracking?.isBroken && 'R',
    tracking?.options.isBroadcast && 'B',
    noEvict && 'e',
  ];
  return flags.filter(Boolean).join('') || 'N';
}

function showSubscriptions({ subscriptions }: ClientSession): string {
  const count = (kind: TopicKind): number => subscriptions?.[kind].size ?? 0;
  const counts = [count(Kind.Channel), count(Kind.Pattern), count(Kind.ShardChannel)];
  return `sub=${counts[0]} psub=${counts[1]} ssub=${counts[2]}`;
}

/** Names of users have one character per byte, and the line is text. */
const userName = ({ user }: ClientSession) => Buffer.from(user.name, 'latin1').toString('utf8');

/** A client as CLIENT LIST and ACL LOG show it, without line end; what Redis counts and Tandis has not is 0. */
export function clientLine(client: ClientSession, now: number): string {
  const { transaction } = client;
  return [
    `id=${client.id} addr=${client.address} laddr=${client.localAddress} fd=-1`,
    `name=${client.name} age=${seconds(client.createdAt, now)}`,
    `idle=${seconds(client.lastActiveAt, now)} flags=${flagsOf(client)}`,
    `db=${client.db} ${showSubscriptions(client)} multi=${transaction?.commands.length ?? -1}`,
    `watch=${client.watched?.count ?? 0}`,
    `qbuf=${client.queryBufferBytes} qbuf-free=0 argv-mem=0 multi-mem=${transaction?.bytes ?? 0} rbs=0 rbp=0`,
    `obl=${client.outputBytes} oll=0 omem=${client.outputBytes}`,
    `tot-mem=${client.queryBufferBytes + client.outputBytes} events=r`,
    `cmd=${client.lastCommand || 'NULL'} user=${userName(client)} redir=${redirectOf(client)} resp=${client.reply.proto}`,
    `lib-name=${client.libraryName} lib-ver=${client.libraryVersion}`,
  ].join(' ');
}
