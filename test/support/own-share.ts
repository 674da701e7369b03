/**
 * CI runs the tests with two versions of Node. What is simulated is the same code without sockets with both, so the first
 * one, which is all that `npm test` runs, makes two of seven of these runs, and the second one, told by
 * `run-tests.js --sample`, the others. (Of seven: scenarios look at what is left of their numbers by 2, 3 and 4.)
 */
export const isOwn = (number: number): boolean => {
  const isFirst = number % 7 === 1 || number % 7 === 4;
  return isFirst !== (process.env['TEST_SAMPLE'] === '1');
};
