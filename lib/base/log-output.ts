import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** Bytes of lines that wait for a slow reader of the log; further lines are dropped. */
const BACKLOG_BYTES = 4 * 1024 * 1024;

export interface LogOutput {
  write(line: string): void;
  /** Calls `done` when everything has been written, or cannot be. */
  drained(done: () => void): void;
}

/**
 * Lines of the log to a file descriptor. A pipe or socket is written without blocking: a reader that stalls must not
 * stall the node, and one that has gone must not keep it from ending. (pino's own destination tries again for ever when
 * the reader is gone at exit.) Files and terminals take their lines at once.
 */
export function openLogOutput(fd: number): LogOutput {
  const kind = fstatSync(fd);
  return kind.isFIFO() || kind.isSocket() ? streamOutput(fd) : fileOutput(fd);
}

function fileOutput(fd: number): LogOutput {
  return {
    write: (line) => {
      try {
        writeSync(fd, line);
      } catch {
        // The disk is full, or the terminal has gone: there is nowhere to say so.
      }
    },
    drained: (done) => done(),
  };
}

function streamOutput(fd: number): LogOutput {
  const socket = new Socket({ fd, readable: false, writable: true });
  let dropped = 0;
  socket.on('error', () => undefined);
  return {
    write: (line) => {
      if (!socket.writable) return;
      if (socket.writableLength > BACKLOG_BYTES) {
        dropped += 1;
        return;
      }
      if (dropped > 0) {
        socket.write(`${dropped} lines were dropped here: the log was not read\n`);
        dropped = 0;
      }
      socket.write(line);
    },
    drained: (done) => {
      if (!socket.writable || socket.writableLength === 0) done();
      else socket.write('', () => done());
    },
  };
}
