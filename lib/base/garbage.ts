import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * A function that frees what cannot be reached any more; it takes some milliseconds, more with a large heap of objects.
 * For large ArrayBuffers that were let go: V8 frees them when it collects, and it collects when it allocates, so that an idle
 * node would keep gigabytes.
 */
export function garbageCollector(): () => void {
  // Contexts made while the flag is set have the function; nothing else sees it.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return collect;
}
