import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
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

export type SnapshotHeader = Omit<SnapshotOffer, 'phase'>;

/** A file that is no snapshot, or not all of one. It is left as it is. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';

  constructor(path: string, fault: string) {
    super(
      `snapshot-file ${path} ${fault}; it was left as it is. Move it away to start without it, or put a good one in its place`,
    );
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

/**
 * Writes a snapshot in the place of whatever is there, at once: its process does nothing else any more. As long as it is not
 * there as a whole the old file is. Returns how many records it has. Throws the system's error.
 */
export function writeSnapshot(
  path: string,
  header: SnapshotHeader,
  records: Iterable<SnapshotRecord>,
): number {
  const next = `${path}.new`;
  const file = openSync(next, 'w', 0o600);
  let count = 0;
  try {
    const put = (bytes: Buffer): void => {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    };
    put(SNAPSHOT_MAGIC);
    put(encodeBlock(BlockType.Header, Buffer.from(JSON.stringify(header))));
    let waiting: Buffer[] = [];
    let bytes = 0;
    const flush = (): void => {
      if (bytes > 0) put(encodeBlock(BlockType.Records, Buffer.concat(waiting)));
      waiting = [];
      bytes = 0;
    };
    for (const record of records) {
      const encoded = encodeRecord(record);
      if (bytes + encoded.length > BLOCK_BYTES) flush();
      waiting.push(encoded);
      bytes += encoded.length;
      count += 1;
    }
    flush();
    put(encodeBlock(BlockType.End, Buffer.from(JSON.stringify({ records: count }))));
    fsyncSync(file);
  } catch (error) {
    closeSync(file);
    unlinkSync(next);
    throw error;
  }
  closeSync(file);
  moveFile(next, path);
  return count;
}

/** Reads a snapshot from its beginning to its end, a block at a time. Whatever is wrong is a SnapshotError. */
export class SnapshotReader {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #bytes: number;
  #at = 0;
  #records = 0;

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
    const isAll = (end as { records?: unknown } | null)?.records === this.#records;
    if (!isAll || this.#at !== this.#bytes) throw this.#fault('is damaged');
    return null;
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
  if (!Array.isArray(parts) || parts.length > PARTS_MAX) return false;
  return parts.every((one) => typeof one === 'string') && parts.includes(part);
}
