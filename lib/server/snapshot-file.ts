import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { access, type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SnapshotOffer } from '../cluster/member.js';
import {
  BLOCK_BYTES,
  BLOCK_FOOTER_BYTES,
  BLOCK_HEADER_BYTES,
  BlockType,
  BODY_BYTES_MAX,
  decodeRecords,
  encodeBlock,
  encodeRecord,
  isWhole,
  SNAPSHOT_MAGIC,
  type SnapshotRecord,
} from '../protocol/snapshot-blocks.js';

/** Members of a set at most, as in a view. */
const PARTS_MAX = 1000;

/** What is known before the first record is written, and what only at the end. */
export type SnapshotHeader = Omit<SnapshotOffer, 'phase' | keyof SnapshotEnd>;
export type SnapshotEnd = Pick<SnapshotOffer, 'stopped' | 'dead' | 'leftOut'>;

/** A file that is no snapshot, or not all of one; it is left as it is. Or a place for none. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';

  constructor(
    path: string,
    fault: string,
    advice = 'it was left as it is. Move it away to start without it, or put a good one in its place',
  ) {
    super(`snapshot-file ${path} ${fault}; ${advice}`);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Takes the place of whatever is there; lasting when it returns. */
export function moveFile(from: string, to: string): void {
  renameSync(from, to);
  syncDirectory(to);
}

/** Throws SnapshotError where no file could be put at `path`: nobody wants to learn that at the end. */
export async function checkDirectory(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    const fault = `could not be written: ${(error as Error).message}`;
    throw new SnapshotError(path, fault, 'give it a directory that this process may write to');
  }
}

/**
 * Writes a snapshot in the place of whatever is there, at once: its process does nothing else meanwhile. Before `finish` the
 * old file is there as it was. All throw the system's error, and leave nothing of the new one then.
 */
export class SnapshotWriter {
  readonly #path: string;
  readonly #next: string;
  readonly #file: number;
  #records = 0;

  constructor(path: string, header: SnapshotHeader) {
    this.#path = path;
    this.#next = `${path}.new`;
    this.#file = openSync(this.#next, 'w', 0o600);
    this.#try(() => {
      this.#put(SNAPSHOT_MAGIC);
      this.#put(encodeBlock(BlockType.Header, Buffer.from(JSON.stringify(header))));
    });
  }

  write(records: Iterable<SnapshotRecord>): void {
    this.#try(() => {
      let waiting: Buffer[] = [];
      let bytes = 0;
      const flush = (): void => {
        if (bytes > 0) this.#put(encodeBlock(BlockType.Records, Buffer.concat(waiting)));
        waiting = [];
        bytes = 0;
      };
      for (const record of records) {
        const encoded = encodeRecord(record);
        if (bytes + encoded.length > BLOCK_BYTES) flush();
        waiting.push(encoded);
        bytes += encoded.length;
        this.#records += 1;
      }
      flush();
    });
  }

  /** Lasting when it returns: how many records it has. */
  finish(end: SnapshotEnd): number {
    const records = this.#records;
    this.#try(() => {
      this.#put(encodeBlock(BlockType.End, Buffer.from(JSON.stringify({ records, ...end }))));
      fsyncSync(this.#file);
    });
    closeSync(this.#file);
    moveFile(this.#next, this.#path);
    return records;
  }

  #put(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      closeSync(this.#file);
      unlinkSync(this.#next);
      throw error;
    }
  }
}

/** Reads a snapshot from its beginning to its end, a block at a time. Whatever is wrong is a SnapshotError. */
export class SnapshotReader {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #bytes: number;
  #at = 0;
  #records = 0;
  #end: SnapshotEnd | null = null;

  private constructor(path: string, file: FileHandle, bytes: number) {
    this.#path = path;
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Null when there is no such file. */
  static async open(
    path: string,
  ): Promise<{ readonly reader: SnapshotReader; readonly header: SnapshotHeader } | null> {
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return null;
      throw new SnapshotError(path, `cannot be read: ${message}`);
    }
    try {
      const facts = await file.stat();
      if (!facts.isFile()) throw new SnapshotError(path, 'is no file');
      const reader = new SnapshotReader(path, file, facts.size);
      return { reader, header: await reader.#header() };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The records of the next block, as views that nobody else has; null at the end. */
  async next(): Promise<SnapshotRecord[] | null> {
    const { type, body } = await this.#block();
    if (type === BlockType.Records) {
      const records = decodeRecords(body);
      if (records === null) throw this.#fault('is damaged');
      this.#records += records.length;
      return records;
    }
    if (type !== BlockType.End) throw this.#fault('is damaged');
    const end: unknown = parse(body);
    if (!isEnd(end, this.#records) || this.#at !== this.#bytes) throw this.#fault('is damaged');
    const { stopped, dead, leftOut = [] } = end;
    this.#end = { stopped, dead, leftOut };
    return null;
  }

  /** Null before `next` has said that this is the end. */
  get end(): SnapshotEnd | null {
    return this.#end;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #header(): Promise<SnapshotHeader> {
    const magic =
      this.#bytes < SNAPSHOT_MAGIC.length ? null : await this.#read(SNAPSHOT_MAGIC.length);
    if (magic?.equals(SNAPSHOT_MAGIC) !== true) {
      throw this.#fault('is no snapshot that this release knows');
    }
    const { type, body } = await this.#block();
    const header: unknown = type === BlockType.Header ? parse(body) : null;
    if (!isHeader(header)) throw this.#fault('is damaged');
    return header;
  }

  async #block(): Promise<{ type: number; body: Buffer }> {
    const head = await this.#read(BLOCK_HEADER_BYTES);
    const length = head.readUInt32LE(0);
    if (length > BODY_BYTES_MAX) throw this.#fault('is damaged');
    const rest = await this.#read(length + BLOCK_FOOTER_BYTES);
    if (!isWhole(Buffer.concat([head, rest]))) throw this.#fault('is damaged');
    return { type: head[4]!, body: rest.subarray(0, length) };
  }

  async #read(bytes: number): Promise<Buffer> {
    if (bytes > this.#bytes - this.#at) throw this.#fault('is cut off');
    const buffer = Buffer.allocUnsafeSlow(bytes);
    for (let have = 0; have < bytes; ) {
      const { bytesRead } = await this.#file.read(buffer, have, bytes - have, this.#at + have);
      if (bytesRead === 0) throw this.#fault('is cut off');
      have += bytesRead;
    }
    this.#at += bytes;
    return buffer;
  }

  #fault(fault: string): SnapshotError {
    return new SnapshotError(this.#path, fault);
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}

function isHeader(value: unknown): value is SnapshotHeader {
  if (typeof value !== 'object' || value === null) return false;
  const { set, part, parts, ...numbers } = value as Partial<Record<keyof SnapshotHeader, unknown>>;
  if (typeof set !== 'string' || typeof part !== 'string') return false;
  if (![numbers.at, numbers.seed, numbers.number].every(Number.isSafeInteger)) return false;
  return isParts(parts) && parts.includes(part);
}

function isEnd(value: unknown, records: number): value is SnapshotEnd {
  if (typeof value !== 'object' || value === null) return false;
  const end = value as Partial<Record<keyof SnapshotEnd | 'records', unknown>>;
  const { stopped, dead, leftOut = [] } = end;
  return end.records === records && [stopped, dead, leftOut].every(isParts);
}

function isParts(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= PARTS_MAX &&
    value.every((one) => typeof one === 'string')
  );
}
