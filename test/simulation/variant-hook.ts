import type { LoadHook } from 'node:module';
import { applyEdits, type Edit } from './variant.js';

/** Edits by the end of the path of the module that they are made in. */
let edits: readonly Edit[] = [];

/** Called by Node with what `register` was given. */
export function initialize(given: readonly Edit[]): void {
  edits = given;
}

/** Called by Node for every module: those that the variant breaks are changed on their way from the disk. */
export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const own = edits.filter(({ file }) => url.endsWith(`/${file}`));
  if (own.length === 0) return loaded;
  return { ...loaded, source: applyEdits(String(loaded.source), own) };
};
