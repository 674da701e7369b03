/**
 * CI runs the tests with two versions of Node. What is simulated is the same code without sockets with both, so each makes
 * every other one of these runs; the second version is told by `run-tests.js --sample`.
 */
export const isOwn = (number: number): boolean =>
  number % 2 === (process.env['TEST_SAMPLE'] === '1' ? 0 : 1);
