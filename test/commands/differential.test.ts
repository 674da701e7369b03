import t from 'tap';
import { missingRedis, RedisServer } from '../support/redis-server.js';
import { compareRound, roundsFrom } from './differential-rounds.js';
import { TARGETS, targetOf } from './differential-targets.js';

/**
 * Commands per seed and protocol; more with DIFFERENTIAL_COMMANDS, and other commands with SEED. A change is tested with the
 * same commands each time: what new ones find is a flaw that was there before, and not one of the change.
 */
const isSample = process.env['TEST_SAMPLE'] === '1';
const { DIFFERENTIAL_COMMANDS, SEED = 20_000 } = process.env;
const COMMANDS = Number(DIFFERENTIAL_COMMANDS ?? (isSample ? 500 : 750));
const FIRST_SEED = Number(SEED);

// Many runs against separate processes, on machines that may have other things to do.
t.setTimeout(450_000);

const missing = missingRedis();

t.test('replies are those of a real Redis', { skip: missing ?? false }, async (t) => {
  const server = await RedisServer.start('--enable-debug-command', 'yes');
  t.teardown(() => server.stop());
  const redis = await targetOf(t, [server.port]);
  for (const [name, open] of Object.entries(TARGETS)) {
    await t.test(`from ${name}`, async (t) => {
      const tandis = await open(t);
      for (const round of roundsFrom(FIRST_SEED)) {
        const { family, seed, proto } = round;
        const mismatch = await compareRound(redis, tandis, round, COMMANDS);
        if (mismatch === null) t.pass(`${family}, seed ${seed}, RESP${proto}: equal replies`);
        else {
          const { where, difference, ours, theirs, recent } = mismatch;
          t.equal(ours, theirs, `${where}: ${difference}`, { recent });
        }
      }
    });
  }
});
