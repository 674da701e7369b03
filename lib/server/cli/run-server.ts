import { checkBusSecrecy } from '../../base/bus-secrecy.js';
import { systemClock } from '../../base/clock.js';
import { busPortOf, type Config } from '../../base/config.js';
import { collectWithoutHelpers } from '../../base/garbage.js';
import { createLogger, type Logger } from '../../base/logger.js';
import type { ConfigFile } from '../config-file.js';
import { listenFailure } from '../listen-failure.js';
import { TandisServer } from '../server.js';
import { SnapshotError } from '../snapshot-file.js';
import { warmUp } from '../warm-up.js';

/** The reader of the log gets this long to take the last lines, milliseconds. */
const LAST_LINES_MS = 500;

async function warmUpFor(config: Config, logger: Logger): Promise<void> {
  const commands = config.get('warm-up');
  if (commands === 0) return;
  const start = systemClock.monotonicMs();
  const served = await warmUp(commands);
  const ms = Math.round(systemClock.monotonicMs() - start);
  logger.info('warmed up', { commands: served, ms });
}

/**
 * Runs one node until it has left. SIGTERM and SIGINT make it leave in good order, a second one ends it at once; so does
 * the end of a launcher that started it with a channel. SIGHUP makes it read its certificates again.
 */
export async function runServer(config: Config, file: ConfigFile | null): Promise<void> {
  collectWithoutHelpers();
  const { logger, setLevel, drained } = createLogger(
    config.get('loglevel'),
    config.get('log-format'),
  );
  config.watch(['loglevel'], () => setLevel(config.get('loglevel')));
  busPortOf(config);
  checkBusSecrecy(config);
  const exit = (status: number): void => {
    setTimeout(() => process.exit(status), LAST_LINES_MS);
    drained(() => process.exit(status));
  };
  const server = new TandisServer({ config, file, logger, onStopped: (status) => exit(status) });
  let isStarted = false;
  let signals = 0;
  const leave = (reason: string): void => {
    signals += 1;
    if (signals > 1) {
      logger.warn('ended without leaving', { reason });
      process.exit(1);
    }
    logger.info('leaving', { reason });
    if (isStarted) server.stop();
    else exit(0);
  };
  process.on('SIGTERM', () => leave('SIGTERM'));
  process.on('SIGINT', () => leave('SIGINT'));
  process.on('SIGHUP', () => server.reload());
  process.on('disconnect', () => leave('the launcher has ended'));
  await warmUpFor(config, logger);
  try {
    await server.start();
    isStarted = true;
  } catch (error) {
    const failure = error instanceof SnapshotError ? error.message : listenFailure(error);
    if (failure === null) throw error;
    process.stderr.write(`tandis: ${failure}\n`);
    process.exit(1);
  }
}
