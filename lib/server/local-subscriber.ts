import Parser from 'redis-parser';
import { LOCAL_CALLS_WAITING } from '../base/limits.js';
import { BusyError, ClosedError, ReplyError } from './local-client.js';
import type { LocalSocket, LocalSockets } from './local-sockets.js';

/** What was published. */
export interface Message {
  readonly channel: string;
  /** The pattern that the channel matched; null where the channel itself was subscribed to. */
  readonly pattern: string | null;
  /** `bytes` read as UTF-8. */
  readonly text: string;
  readonly bytes: Buffer;
}

/** Called once for each message, in the order in which they came, and never inside a command of the node. */
export type MessageListener = (message: Message) => void;

export interface Subscription {
  /** Takes the listener away; it hears nothing from now on. Resolves when the node knows. Again: nothing more happens. */
  unsubscribe(): Promise<void>;
  /** Resolves when it has ended: by `unsubscribe`, with the node, or by who ends its client (CLIENT KILL, ACL SETUSER). */
  readonly ended: Promise<void>;
}

type Word = 'subscribe' | 'psubscribe';

interface Listener {
  readonly heard: MessageListener;
  readonly end: () => void;
}

/** A channel or a pattern, with all who listen to it. */
interface Topic {
  readonly word: Word;
  readonly name: string;
  readonly listeners: Set<Listener>;
  /** Resolves when every member knows of it: what is published after that, wherever, comes here. */
  readonly told: Promise<void>;
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

const idOf = (word: string, name: string): string => `${word} ${name}`;

/** The one client of a node by which an application in its process hears what is published. */
export class LocalSubscriber {
  readonly #sockets: LocalSockets;
  readonly #socket: LocalSocket | null;
  readonly #topics = new Map<string, Topic>();
  /** Commands without their confirmation, in order. */
  readonly #waiting: Waiting[] = [];
  #isClosed = false;

  /** Closed from the beginning when the node has left. */
  constructor(sockets: LocalSockets) {
    const parser = new Parser({
      returnBuffers: true,
      returnReply: (reply: Buffer[]) => this.#take(reply),
      returnError: (error: Error) => this.#waiting.shift()!.reject(new ReplyError(error.message)),
    });
    this.#sockets = sockets;
    this.#socket = sockets.open({
      replied: (bytes) => parser.execute(bytes),
      closed: () => this.#end(),
    });
    if (this.#socket === null) this.#end();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Rejects with ReplyError when the default user may not, or there are too many; with ClosedError, BusyError as calls do. */
  async add(word: Word, name: string, heard: MessageListener): Promise<Subscription> {
    const id = idOf(word, name);
    let topic = this.#topics.get(id);
    if (topic === undefined) {
      topic = { word, name, listeners: new Set(), told: this.#send(word, name) };
      this.#topics.set(id, topic);
    }
    const subscribed = topic;
    let end!: () => void;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const listener: Listener = { heard, end };
    // What is published right behind the confirmation comes together with it.
    subscribed.listeners.add(listener);
    try {
      await subscribed.told;
    } catch (error) {
      if (this.#topics.get(id) === subscribed) this.#topics.delete(id);
      throw error;
    }
    return { ended, unsubscribe: () => this.#remove(subscribed, listener) };
  }

  async #remove(topic: Topic, listener: Listener): Promise<void> {
    if (!topic.listeners.delete(listener)) return;
    listener.end();
    if (topic.listeners.size > 0 || this.#isClosed) return;
    this.#topics.delete(idOf(topic.word, topic.name));
    await this.#send(topic.word === 'subscribe' ? 'unsubscribe' : 'punsubscribe', topic.name);
  }

  #send(word: string, name: string): Promise<void> {
    const socket = this.#socket;
    if (socket === null || this.#isClosed) {
      return Promise.reject(new ClosedError('the node has left'));
    }
    if (this.#waiting.length >= LOCAL_CALLS_WAITING) {
      this.#sockets.countRefusal();
      return Promise.reject(new BusyError('too many subscriptions wait to be known'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      socket.send([word, name]);
    });
  }

  #take(reply: Buffer[]): void {
    const word = reply[0]!.toString();
    if (word === 'message') this.#heard('subscribe', reply[1]!.toString(), null, reply);
    else if (word === 'pmessage') {
      const pattern = reply[1]!.toString();
      this.#heard('psubscribe', pattern, pattern, reply);
    } else this.#waiting.shift()!.resolve();
  }

  #heard(word: Word, name: string, pattern: string | null, reply: Buffer[]): void {
    const topic = this.#topics.get(idOf(word, name));
    if (topic === undefined) return;
    const [channel, bytes] = reply.slice(-2) as [Buffer, Buffer];
    const message = { channel: channel.toString(), pattern, text: bytes.toString(), bytes };
    for (const listener of topic.listeners) {
      // The node is in the middle of a command: what a listener throws is the application's, and not in its way.
      queueMicrotask(() => {
        if (topic.listeners.has(listener)) listener.heard(message);
      });
    }
  }

  #end(): void {
    this.#isClosed = true;
    const error = new ClosedError('the client was closed');
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    for (const { listeners } of this.#topics.values()) for (const { end } of listeners) end();
    this.#topics.clear();
  }
}
