import { f64At } from '../protocol/bytes.js';
import type { ClusterState } from './cluster-state.js';
import { FrameType } from './frames.js';
import type { LargeSender } from './large-sender.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

/** Queries in flight; more are refused. */
const QUERIES_MAX = 10_000;

/** Whether a member may answer so: what else it says is a fault of its link. */
export type IsAnswer = (answer: unknown) => boolean;

const isScalar: IsAnswer = (answer) => answer === null || typeof answer !== 'object';

interface Question {
  readonly body: string;
  readonly done: (answers: unknown[]) => void;
  readonly isAnswer: IsAnswer;
  readonly lost: (() => void) | undefined;
  /** Who is asked, by the view of then, where that is one member; null is this one. */
  readonly member?: () => Peer | null;
}

interface Query extends Question {
  readonly id: number;
  readonly missing: Set<Peer>;
  readonly answers: unknown[];
}

/**
 * Questions to every member at once, this one included, as JSON; answers are text, numbers and the like unless said otherwise. All must answer in one view: a view change asks anew, so
 * questions are such that may be asked twice. One that may not be asked any more when this node was left out meanwhile
 * has a `lost`, which is called then. Of two questions or answers the later one may come first.
 */
export class Queries {
  /** Answers a question here; undefined for one that is malformed. */
  evaluate!: (question: unknown) => unknown;
  readonly #state: ClusterState;
  readonly #streams: Streams;
  readonly #large: LargeSender;
  readonly #queries = new Map<number, Query>();
  /** Asked with the next flush: a command of many questions lets others in between. */
  #next: Question[] = [];
  #lastId = 0;

  constructor(state: ClusterState, streams: Streams, large: LargeSender) {
    this.#state = state;
    this.#streams = streams;
    this.#large = large;
  }

  get open(): number {
    return this.#queries.size + this.#next.length;
  }

  #isFull(): boolean {
    if (this.open < QUERIES_MAX) return false;
    this.#state.statistics.limits.add('queries');
    return true;
  }

  /** False when too many are in flight. */
  ask(question: object, done: (answers: unknown[]) => void, isAnswer = isScalar): boolean {
    if (this.#isFull()) return false;
    this.#begin({ body: JSON.stringify(question), done, isAnswer, lost: undefined });
    return true;
  }

  /** Asks one member, which may be another one when the view changes. False when too many questions are in flight. */
  askMember(
    question: object,
    member: () => Peer | null,
    done: (answer: unknown) => void,
    isAnswer = isScalar,
  ): boolean {
    if (this.#isFull()) return false;
    const body = JSON.stringify(question);
    this.#begin({ body, done: ([answer]) => done(answer), isAnswer, lost: undefined, member });
    return true;
  }

  /**
   * The next question of a command, asked as soon as its last one is answered: it takes that one's place, so it is never
   * refused.
   */
  goOn(
    question: object,
    done: (answers: unknown[]) => void,
    lost?: () => void,
    isAnswer = isScalar,
  ): void {
    this.#next.push({ body: JSON.stringify(question), done, isAnswer, lost });
    this.#streams.wantFlush();
  }

  /** Asks what goes on; true when there is more to ask at once. */
  step(): boolean {
    if (this.#next.length === 0 || this.#state.view === null) return false;
    const begun = this.#next;
    this.#next = [];
    for (const question of begun) this.#begin(question);
    return this.#next.length > 0;
  }

  /** After a change of view. */
  restart(): void {
    const running = [...this.#queries.values()];
    this.#queries.clear();
    for (const query of running) this.#begin(query);
  }

  /** This incarnation was left out. */
  excluded(): void {
    const lost = [...this.#queries.values(), ...this.#next].filter((query) => query.lost);
    this.#next = this.#next.filter((query) => !query.lost);
    for (const [id, query] of this.#queries) if (query.lost) this.#queries.delete(id);
    for (const query of lost) query.lost!();
  }

  /** QUERY: id f64, JSON. */
  receiveQuery(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start < 8) return false;
    const question = parse(buffer.toString('utf8', start + 8, end));
    const answer = question === undefined ? undefined : this.evaluate(question);
    if (answer === undefined) return false;
    this.#append(peer, FrameType.Answer, f64At(buffer, start), JSON.stringify(answer));
    return true;
  }

  /** ANSWER: id f64, JSON. */
  receiveAnswer(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start < 8) return false;
    const answer = parse(buffer.toString('utf8', start + 8, end));
    if (answer === undefined) return false;
    const query = this.#queries.get(f64At(buffer, start));
    if (query === undefined || !query.missing.has(peer)) return true;
    if (!query.isAnswer(answer)) return false;
    query.missing.delete(peer);
    query.answers.push(answer);
    this.#finish(query);
    return true;
  }

  #begin(question: Question): void {
    // Nobody answers for what this node held: who asks has to ask another one, as with all that waits here.
    if (this.#state.membership.saidGoodbye) return;
    const { body, member } = question;
    const one = member?.() ?? null;
    const peers = member === undefined ? this.#state.livePeers() : one === null ? [] : [one];
    const query: Query = {
      ...question,
      id: ++this.#lastId,
      missing: new Set(peers),
      answers: one === null ? [this.evaluate(JSON.parse(body))] : [],
    };
    this.#queries.set(query.id, query);
    for (const peer of peers) this.#append(peer, FrameType.Query, query.id, body);
    this.#finish(query);
  }

  #finish(query: Query): void {
    if (query.missing.size > 0) return;
    this.#queries.delete(query.id);
    query.done(query.answers);
  }

  #append(peer: Peer, type: number, id: number, text: string): void {
    const body = Buffer.from(text, 'utf8');
    this.#large.append(peer, type, 8 + body.length, (log) => {
      log.f64(id);
      log.bytes(body, 0, body.length);
    });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
