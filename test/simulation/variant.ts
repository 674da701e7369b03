import type { Profile } from './profiles.js';

/** A change of one built module. Space between words is not compared; the text must be there exactly once. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A deliberately broken cluster. */
export interface Variant {
  readonly name: string;
  /** What it does wrong. */
  readonly breaks: string;
  /** The invariant of the design that this is about. */
  readonly invariant: string;
  readonly edits: readonly Edit[];
  readonly profile: string;
  readonly options?: Partial<Profile>;
  /** A seed that finds it soon; a change of the code moves that to another one near by. */
  readonly seed: number;
  /** Few seeds find it: it is left to `npm run simulate:variants`. */
  readonly isRare?: true;
}

/** The text with the edits made; throws where one does not fit exactly once. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let changed = text;
  for (const { file, find, replace } of edits) {
    const words = find.trim().split(/\s+/);
    const pattern = new RegExp(words.map(escapeRegExp).join('\\s+'), 'g');
    const count = changed.match(pattern)?.length ?? 0;
    if (count !== 1) throw new Error(`${file} contains ${count} times, not once: ${find}`);
    changed = changed.replace(pattern, () => replace);
  }
  return changed;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

const CLUSTER = 'lib/cluster';

/** A change of a module as it is built: of lib/cluster, unless its path says otherwise. */
export function edit(file: string, find: string, replace: string): Edit {
  return { file: file.startsWith('lib/') ? file : `${CLUSTER}/${file}`, find, replace };
}
