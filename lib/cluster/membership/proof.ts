import type { Incarnation } from '../member.js';
import type { ProbeResult } from './messages.js';

interface Question {
  askedAt: number;
  readonly answers: Map<Incarnation, ProbeResult>;
}

/**
 * Proof of death by refusal: a fresh connection was refused to this node, and to every member that
 * it asked. One that the node answered vetoes. Nobody asks those who are refused or dead themselves,
 * so two members that die together are proven dead together.
 */
export class Proofs {
  readonly #questions = new Map<Incarnation, Question>();

  /** Whom to ask about `target` now; each is asked again after `pauseMs`, answers may have changed. */
  toAsk(
    target: Incarnation,
    witnesses: readonly Incarnation[],
    now: number,
    pauseMs: number,
  ): readonly Incarnation[] {
    const question = this.#questions.get(target);
    if (question === undefined) {
      this.#questions.set(target, { askedAt: now, answers: new Map() });
      return witnesses;
    }
    if (now - question.askedAt < pauseMs) return [];
    question.askedAt = now;
    return witnesses.filter((id) => question.answers.get(id) !== 'refused');
  }

  answered(target: Incarnation, witness: Incarnation, result: ProbeResult): void {
    this.#questions.get(target)?.answers.set(witness, result);
  }

  isProven(target: Incarnation, witnesses: readonly Incarnation[]): boolean {
    const question = this.#questions.get(target);
    return (
      question !== undefined && witnesses.every((id) => question.answers.get(id) === 'refused')
    );
  }

  /** It answered somebody, or nobody asks any more. */
  forget(target: Incarnation): void {
    this.#questions.delete(target);
  }

  keepOnly(isWanted: (target: Incarnation) => boolean): void {
    for (const target of this.#questions.keys()) if (!isWanted(target)) this.forget(target);
  }
}
