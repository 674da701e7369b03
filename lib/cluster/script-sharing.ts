import type { Queries } from './queries.js';

/** Characters of a SHA-1 in hexadecimal. */
const SHA_LENGTH = 40;

/** The scripts that this node knows. */
export interface KnownScripts {
  /** The text of a script; null for none. */
  sourceOf(sha: string): Buffer | null;
  learn(source: Buffer): unknown;
  flush(): void;
}

/** To all members: a script that one of them knows, by its SHA-1; one that all are to know, as base64; forget all. */
export type ScriptQuestion =
  | { readonly ask: 'script-find'; readonly sha: string }
  | { readonly ask: 'script-share'; readonly source: string }
  | { readonly ask: 'script-flush' };

/**
 * SCRIPT LOAD on one node serves EVALSHA on all: who loads a script gives it to all members, and who is asked for one that it
 * does not know asks the others, as a member may have come later, or have seen it in an EVAL.
 */
export class ScriptSharing {
  readonly #queries: Queries;
  /** Called when a script was found or not: a step may have waited for it. */
  readonly #found: () => void;
  /** Null on a node that runs no scripts. */
  known: KnownScripts | null = null;

  constructor(queries: Queries, found: () => void) {
    this.#queries = queries;
    this.#found = found;
  }

  /** Null where no member knows it. All three return false when too many questions are open. */
  find(sha: string, done: (source: Buffer | null) => void): boolean {
    return this.#queries.ask({ ask: 'script-find', sha }, (answers) => {
      const found = answers.find((answer) => typeof answer === 'string' && answer !== '');
      done(typeof found === 'string' ? Buffer.from(found, 'base64') : null);
      this.#found();
    });
  }

  share(source: Buffer, done: () => void): boolean {
    return this.#queries.ask({ ask: 'script-share', source: source.toString('base64') }, done);
  }

  flush(done: () => void): boolean {
    return this.#queries.ask({ ask: 'script-flush' }, done);
  }

  evaluate(question: ScriptQuestion): unknown {
    const { known } = this;
    if (question.ask === 'script-find') {
      return known?.sourceOf(question.sha)?.toString('base64') ?? '';
    }
    if (question.ask === 'script-flush') known?.flush();
    else known?.learn(Buffer.from(question.source, 'base64'));
    return true;
  }
}

/** Whether what came over the bus is such a question. */
export function isScriptQuestion(fields: Record<string, unknown>): boolean {
  switch (fields['ask']) {
    case 'script-find':
      return typeof fields['sha'] === 'string' && fields['sha'].length === SHA_LENGTH;
    case 'script-share':
      return typeof fields['source'] === 'string';
    default:
      return fields['ask'] === 'script-flush';
  }
}
