import { type Run, simulate } from './runs.js';

// One of several processes that make runs (runs.ts): it is told each run, and tells its result.
process.on('message', (run) => process.send!(simulate(run as Run)));
