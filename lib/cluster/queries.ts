import { f64At } from '../protocol/bytes.js';
import type { ClusterState } from './cluster-state.js';
import { FrameType } from './frames.js';
import type { Peer } from './peer.js';
import type { Streams } from './streams.js';

/** Queries in flight; more are refused. */
const QUERIES_MAX = 10_000;

interface Query {
  readonly id: number;
  readonly body: string;
  readonly missing: Set<Peer>;
  readonly answers: unknown[];
  readonly done: (answers: unknown[]) => void;
}

/**
 * Questions to every member at once, this one included, as JSON. All must answer in one view: a view change asks anew, so
 * questions are such that may be asked twice.
 */
export class Queries {
  /** Answers a question here; undefined for one that is malformed. */
  evaluate!: (question: unknown) => unknown;
  readonly #state: ClusterState;
  readonly #streams: Streams;
  readonly #queries = new Map<number, Query>();
  #lastId = 0;

  constructor(state: ClusterState, streams: Streams) {
    this.#state = state;
    this.#streams = streams;
  }

  get open(): number {
    return this.#queries.size;
  }

  /** False when too many are in flight. */
  ask(question: object, done: (answers: unknown[]) => void): boolean {
    if (this.#queries.size >= QUERIES_MAX) return false;
    this.#begin(JSON.stringify(question), done);
    return true;
  }

  restart(): void {
    const running = [...this.#queries.values()];
    this.#queries.clear();
    for (const { body, done } of running) this.#begin(body, done);
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
    if (query === undefined || !query.missing.delete(peer)) return true;
    query.answers.push(answer);
    this.#finish(query);
    return true;
  }

  #begin(body: string, done: (answers: unknown[]) => void): void {
    const peers = this.#state.livePeers();
    const own = this.evaluate(JSON.parse(body));
    const query: Query = {
      id: ++this.#lastId,
      body,
      missing: new Set(peers),
      answers: [own],
      done,
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
    const { log } = peer.stream;
    log.begin(type, 8 + body.length);
    log.f64(id);
    log.bytes(body, 0, body.length);
    this.#state.statistics.framesSent[type]!++;
    this.#streams.appended(peer);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
