import type { Random } from '../support/control-network.js';
import { type Call, showCall, textOf } from './history.js';
import type { Peace } from './peace.js';
import type { Process } from './process.js';

const CHANNELS: readonly string[] = ['news.a', 'news.b', 'sport.a'];
const PATTERN = 'news.*';
/** What a subscriber subscribes to. */
export const TOPICS: readonly string[] = [...CHANNELS, PATTERN];
/** A message has come, or never will, after so long. */
export const DELIVERY_MS = 2000;

/** The same with a connection that breaks meanwhile, or is found to be stuck. */
const RESUMED_MS = 4000;

export const isPattern = (topic: string): boolean => topic.endsWith('*');

const matches = (topic: string, channel: string): boolean =>
  isPattern(topic) ? channel.startsWith(topic.slice(0, -1)) : topic === channel;

/** What one connection was told of one topic. */
export interface Subscription {
  readonly topic: string;
  readonly process: Process;
  readonly askedAt: number;
  /** Infinity until then; and when it was given up, or its connection was lost. */
  confirmedAt: number;
  /** As what its node was a member when it was confirmed. */
  incarnation: string;
  endedAt: number;
  /** Messages in the order in which they came. */
  readonly got: string[];
}

interface Publication {
  readonly call: Call;
  readonly channel: string;
  readonly process: Process;
  /** Its node was a member, as this incarnation. */
  readonly incarnation: string | null;
}

/** All that was published, and what came of it: at most once, in the order of each node, and lost by faults alone. */
export class Messages {
  readonly subscriptions: Subscription[] = [];
  readonly #published = new Map<string, Publication>();
  /** Messages that had to come, and counts that had to be right. */
  expected = 0;

  command(random: Random, value: string): readonly string[] {
    return ['PUBLISH', random.pick(CHANNELS), value];
  }

  published(call: Call, process: Process): void {
    const [, channel = '', message = ''] = call.args;
    const incarnation = process.node.state.view === null ? null : process.incarnation;
    this.#published.set(message, { call, channel, process, incarnation });
  }

  /** What does not hold; null when all does. */
  check(peace: Peace): string | null {
    for (const subscription of this.subscriptions) {
      const found = this.#checkOrder(subscription);
      if (found !== null) return found;
    }
    const isDelivered = this.subscriptions.map(({ got }) => new Set(got));
    for (const [message, publication] of this.#published) {
      const found =
        this.#checkMembers(message, publication, isDelivered) ??
        this.#checkPublication(message, publication, isDelivered, peace);
      if (found !== null) return found;
    }
    return null;
  }

  #checkOrder(subscription: Subscription): string | null {
    const { got, topic, process } = subscription;
    const seen = new Set<string>();
    /** Of each node the message that was published last, of those that have come so far. */
    const last = new Map<Process, Call>();
    for (const message of got) {
      const publication = this.#published.get(message);
      const who = `a subscriber of ${topic} at ${process.name}`;
      if (publication === undefined || !matches(topic, publication.channel)) {
        return `${who} was told ${message.slice(0, 20)}, which nobody has published there`;
      }
      const { call } = publication;
      if (seen.has(message)) return `${who} was told twice of ${showCall(call)}`;
      seen.add(message);
      const before = last.get(publication.process);
      if (before !== undefined && call.returnedAt < before.invokedAt) {
        return `${who} was told of ${showCall(call)} after ${showCall(before)}`;
      }
      if (before === undefined || call.invokedAt > before.invokedAt) {
        last.set(publication.process, call);
      }
    }
    return null;
  }

  /** Between nodes that stay members nothing is lost, whatever becomes of their connections. */
  #checkMembers(
    message: string,
    { call, channel, process, incarnation }: Publication,
    isDelivered: readonly ReadonlySet<string>[],
  ): string | null {
    if (call.outcome !== 'replied' || incarnation !== process.incarnation) return null;
    for (const [i, subscription] of this.subscriptions.entries()) {
      if (!matches(subscription.topic, channel)) continue;
      const { confirmedAt, endedAt, process: at } = subscription;
      const isThere = confirmedAt < call.invokedAt && endedAt > call.returnedAt + RESUMED_MS;
      if (!isThere || subscription.incarnation !== at.incarnation) continue;
      if (process.endedAt < Number.POSITIVE_INFINITY || at.endedAt < Number.POSITIVE_INFINITY)
        continue;
      this.expected++;
      if (isDelivered[i]!.has(message)) continue;
      return `${showCall(call)} was lost between ${process.name} and ${at.name}, which have stayed members`;
    }
    return null;
  }

  #checkPublication(
    message: string,
    { call, channel, process, incarnation }: Publication,
    isDelivered: readonly ReadonlySet<string>[],
    peace: Peace,
  ): string | null {
    const { invokedAt, returnedAt, outcome } = call;
    const until = returnedAt + DELIVERY_MS;
    if (outcome !== 'replied' || incarnation !== process.incarnation) return null;
    if (process.endedAt < until || !peace.covers(invokedAt, until)) return null;
    let receivers = 0;
    let isCounted = true;
    for (const [i, subscription] of this.subscriptions.entries()) {
      if (!matches(subscription.topic, channel)) continue;
      const { confirmedAt, endedAt, askedAt } = subscription;
      const isOver = endedAt < invokedAt - DELIVERY_MS || askedAt > returnedAt;
      if (isOver) continue;
      if (confirmedAt < invokedAt && endedAt > until) {
        receivers++;
        this.expected++;
        if (isDelivered[i]!.has(message)) continue;
        const where = `${subscription.process.name}, subscribed to ${subscription.topic} at ${confirmedAt.toFixed(3)}`;
        return `${showCall(call)} did not come to ${where}`;
      }
      // It may have come or gone just then, or its node may be on its way out.
      isCounted = false;
    }
    if (!isCounted || Number(textOf(call.reply)) === receivers) return null;
    return `${showCall(call)} has counted others than the ${receivers} subscribers that there were`;
  }
}
