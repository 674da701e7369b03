import t from 'tap';
import { testVariants } from './ci-variants.js';

/** All of it runs in a minute on an idle machine. */
const TIMEOUT_MS = 330_000;

t.setTimeout(TIMEOUT_MS);

t.test('the simulator finds every variant but the rare ones', (t) => testVariants(t, 0));
