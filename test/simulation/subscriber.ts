import type { Random } from '../support/control-network.js';
import type { Reply } from '../support/resp.js';
import { Connection } from './connection.js';
import { isPattern, type Messages, type Subscription, TOPICS } from './messages.js';
import type { Process } from './process.js';
import type { Scheduler } from './scheduler.js';

/** Where a subscriber finds nodes, and whether it is to look for one. */
export interface SubscriberHost {
  readonly scheduler: Scheduler;
  readonly messages: Messages;
  readonly isRunning: boolean;
  listening(): Process[];
}

const PAUSE_MS_MAX = 300;
/** So long it stays at most, half of the time; else much longer. */
const STAYS_MS_MAX = 800;
const STAYS_LONG_MS_MAX = 6000;

const textOf = (reply: Reply | undefined): string =>
  reply !== undefined && 'text' in reply ? reply.text : '';

/** One who subscribes to something at some node, listens for a while, and goes elsewhere. */
export class Subscriber {
  readonly #host: SubscriberHost;
  readonly #number: number;
  readonly #random: Random;
  #connection: Connection | null = null;
  #connections = 0;
  #subscriptions: Subscription[] = [];

  constructor(host: SubscriberHost, number: number, random: Random) {
    this.#host = host;
    this.#number = number;
    this.#random = random;
  }

  /** It has asked, and was not told yet that it is subscribed. */
  get isPending(): boolean {
    return this.#subscriptions.some(({ confirmedAt }) => confirmedAt === Number.POSITIVE_INFINITY);
  }

  /** Begins, or goes on; one that listens does so to the end of its time. */
  start(): void {
    if (this.#connection !== null) return;
    const { scheduler } = this.#host;
    scheduler.at(this.#random.between(0, PAUSE_MS_MAX), () => {
      if (!this.#host.isRunning || this.#connection !== null) return;
      const up = this.#host.listening();
      if (up.length === 0) this.start();
      else this.#subscribe(this.#random.pick(up));
    });
  }

  #subscribe(process: Process): void {
    const { scheduler, messages } = this.#host;
    const connection = new Connection(
      this.#number * 10_000 + ++this.#connections,
      process,
      scheduler,
      this.#random,
      {
        replied: (reply) => this.#told(reply),
        lost: () => {
          if (this.#connection === connection) this.#end();
        },
      },
    );
    // As HELLO 3 does: what is no reply can be told from one.
    connection.reply.proto = 3;
    this.#connection = connection;
    for (const topic of this.#draw()) {
      const subscription: Subscription = {
        topic,
        process,
        askedAt: scheduler.now,
        confirmedAt: Number.POSITIVE_INFINITY,
        incarnation: '',
        endedAt: Number.POSITIVE_INFINITY,
        got: [],
      };
      this.#subscriptions.push(subscription);
      messages.subscriptions.push(subscription);
    }
    const channels = this.#subscriptions.map(({ topic }) => topic);
    if (isPattern(channels[0]!)) connection.send(['PSUBSCRIBE', ...channels]);
    else connection.send(['SUBSCRIBE', ...channels]);
  }

  #draw(): readonly string[] {
    const topic = this.#random.pick(TOPICS);
    const others = TOPICS.filter((other) => other !== topic && !isPattern(other));
    return isPattern(topic) || this.#random.next() < 0.6 ? [topic] : [topic, others[0]!];
  }

  #told(reply: Reply): void {
    if (!('items' in reply)) return;
    const [word, ...rest] = reply.items.map(textOf);
    const [topic = '', second = '', third = ''] = rest;
    const subscription = this.#subscriptions.find((one) => one.topic === topic);
    if (subscription === undefined) return;
    this.#host.scheduler.noteText(second);
    if (word === 'message') subscription.got.push(second);
    else if (word === 'pmessage') subscription.got.push(third);
    else if (word?.endsWith('subscribe')) this.#confirmed(subscription);
  }

  #confirmed(subscription: Subscription): void {
    const { scheduler } = this.#host;
    subscription.confirmedAt = scheduler.now;
    subscription.incarnation = subscription.process.incarnation;
    if (this.isPending) return;
    const connection = this.#connection;
    const most = this.#random.next() < 0.5 ? STAYS_MS_MAX : STAYS_LONG_MS_MAX;
    scheduler.at(this.#random.between(0, most), () => {
      if (this.#connection === connection && this.#host.isRunning) this.#leave();
    });
  }

  #leave(): void {
    const connection = this.#connection;
    this.#end();
    connection?.close();
  }

  #end(): void {
    for (const subscription of this.#subscriptions) {
      subscription.endedAt = this.#host.scheduler.now;
    }
    this.#subscriptions = [];
    this.#connection = null;
    this.start();
  }
}
