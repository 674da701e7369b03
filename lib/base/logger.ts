import { isatty } from 'node:tty';
import pino from 'pino';
import { openLogOutput } from './log-output.js';

/** One event per line: a name in the log and facts beside it. */
export interface Logger {
  debug(event: string, facts?: Record<string, unknown>): void;
  info(event: string, facts?: Record<string, unknown>): void;
  warn(event: string, facts?: Record<string, unknown>): void;
  error(event: string, facts?: Record<string, unknown>): void;
}

export type LogLevel = 'debug' | 'verbose' | 'notice' | 'warning' | 'nothing';

/** Redis's names of the levels, in pino's words. */
const PINO_LEVEL: Record<LogLevel, string> = {
  debug: 'trace',
  verbose: 'debug',
  notice: 'info',
  warning: 'warn',
  nothing: 'silent',
};

const STDOUT = 1;

const LEVEL_MARK: Record<number, string> = { 10: '.', 20: '-', 30: ' ', 40: '#', 50: '!' };

function showFact(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** "2024-05-01 12:00:00.123 # event fact=value" of one line of JSON. */
export function textLine(json: string): string {
  const { time, level, msg, ...facts } = JSON.parse(json) as Record<string, unknown>;
  const moment = new Date(time as number).toISOString().replace('T', ' ').replace('Z', '');
  const shown = Object.entries(facts).map(([name, value]) => ` ${name}=${showFact(value)}`);
  return `${moment} ${LEVEL_MARK[level as number] ?? ' '} ${msg as string}${shown.join('')}\n`;
}

export interface LoggerControl {
  readonly logger: Logger;
  setLevel(level: LogLevel): void;
  /** Calls `done` when what was logged has been written, or cannot be. */
  drained(done: () => void): void;
}

/** A logger to stdout. `format` auto is text on a terminal, else JSON. */
export function createLogger(level: LogLevel, format: 'auto' | 'text' | 'json'): LoggerControl {
  const output = openLogOutput(STDOUT);
  const asText = format === 'text' || (format === 'auto' && isatty(STDOUT));
  const stream = asText
    ? { write: (json: string) => output.write(textLine(json)) }
    : { write: (json: string) => output.write(json) };
  const log = pino({ level: PINO_LEVEL[level], base: null }, stream);
  return {
    logger: {
      debug: (event, facts) => log.debug(facts ?? {}, event),
      info: (event, facts) => log.info(facts ?? {}, event),
      warn: (event, facts) => log.warn(facts ?? {}, event),
      error: (event, facts) => log.error(facts ?? {}, event),
    },
    setLevel: (next) => {
      log.level = PINO_LEVEL[next];
    },
    drained: (done) => output.drained(done),
  };
}

/** A logger that says nothing, for tests and tools. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
