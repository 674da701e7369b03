import type { ClusterState } from './cluster-state.js';
import type { Incarnation } from './member.js';
import type { Queries } from './queries.js';

/** What a node answers to operators who look at another node; made by its composition root. */
export interface MemberAnswers {
  /** Figures and the events after that one; whatever JSON can say, some kilobytes of it. */
  report(since: number): object;
  /** Begins to leave in good order. */
  drain(): void;
}

type MemberQuestion =
  | { readonly ask: 'report'; readonly since: number }
  | { readonly ask: 'drain'; readonly member: Incarnation };

interface Answer {
  readonly id: Incarnation;
  readonly answer: unknown;
}

/**
 * Questions to one member by its incarnation, for operators. Where it is gone the question is asked of this node
 * (Queries), whose answer carries another id: that is none. A member that is silent is waited for until a view has left
 * it out, so an asker keeps at most one question open for each.
 */
export class MemberQuestions {
  answers: MemberAnswers | null = null;
  readonly #state: ClusterState;
  readonly #queries: Queries;

  constructor(state: ClusterState, queries: Queries) {
    this.#state = state;
    this.#queries = queries;
  }

  /** `done` is called once, with null when that member is gone. False when too many questions are open. */
  report(id: Incarnation, since: number, done: (report: object | null) => void): boolean {
    return this.#ask(id, { ask: 'report', since }, (answer) => done(answer as object | null));
  }

  /** `done` is called once, with whether that member has begun to leave. */
  drain(id: Incarnation, done: (isBegun: boolean) => void): boolean {
    return this.#ask(id, { ask: 'drain', member: id }, (answer) => done(answer === true));
  }

  /** Undefined for other questions. Asked twice, a node that leaves goes on leaving. */
  evaluate(question: unknown): Answer | undefined {
    if (!isMemberQuestion(question)) return undefined;
    const { id } = this.#state.self;
    if (question.ask === 'report') {
      return { id, answer: this.answers?.report(question.since) ?? null };
    }
    const isMeant = question.member === id && this.answers !== null;
    if (isMeant) this.answers?.drain();
    return { id, answer: isMeant };
  }

  #ask(id: Incarnation, question: MemberQuestion, done: (answer: unknown) => void): boolean {
    return this.#queries.askMember(
      question,
      () => this.#state.livePeers().find((peer) => peer.id === id) ?? null,
      (found) => {
        const answer = found as Answer | undefined;
        done(answer?.id === id ? answer.answer : null);
      },
      isAnswer,
    );
  }
}

/** Of what is answered the asker is the judge. */
function isAnswer(found: unknown): boolean {
  return typeof (found as Partial<Answer> | null)?.id === 'string';
}

function isMemberQuestion(value: unknown): value is MemberQuestion {
  if (typeof value !== 'object' || value === null) return false;
  const { ask, since, member } = value as Record<string, unknown>;
  if (ask === 'report') return Number.isSafeInteger(since);
  return ask === 'drain' && typeof member === 'string';
}
