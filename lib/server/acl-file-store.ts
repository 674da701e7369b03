import { readFileSync, statSync } from 'node:fs';
import { open, rename, stat, unlink } from 'node:fs/promises';
import type { Logger } from '../base/logger.js';

/** Bytes of an ACL file: it is read and applied in one turn. */
const FILE_BYTES_MAX = 1024 * 1024;
/** Of a file that is not there yet: it has hashes of passwords. */
const MODE = 0o600;

/** The ACL file of a node, as latin1: names and passwords are bytes. */
export class AclFileStore {
  readonly #path: string;
  readonly #logger: Logger;
  /** Settles when the writing under way is done: one at a time. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** A text where it cannot be read. */
  read(): { readonly content: string } | string {
    try {
      if (statSync(this.#path).size > FILE_BYTES_MAX) {
        return `Error loading ACLs, file '${this.#path}' is longer than ${FILE_BYTES_MAX} bytes`;
      }
      return { content: readFileSync(this.#path, 'latin1') };
    } catch (error) {
      return `Error loading ACLs, opening file '${this.#path}': ${reasonOf(error)}`;
    }
  }

  /** Replaces it as a whole. */
  write(content: string, done: (isWritten: boolean) => void): void {
    const written = this.#writing.then(() => this.#write(content));
    this.#writing = written.catch(() => undefined);
    written.then(
      () => done(true),
      (error: Error) => {
        this.#logger.warn('acl file cannot be written', {
          path: this.#path,
          error: error.message,
        });
        done(false);
      },
    );
  }

  async #write(content: string): Promise<void> {
    const mode = await stat(this.#path).then(
      (found) => found.mode & 0o777,
      () => MODE,
    );
    const next = `${this.#path}.new`;
    const file = await open(next, 'w', mode);
    try {
      await file.writeFile(content, 'latin1');
      await file.sync();
      await file.close();
      await rename(next, this.#path);
    } catch (error) {
      await file.close().catch(() => undefined);
      await unlink(next).catch(() => undefined);
      throw error;
    }
  }
}

/** "No such file or directory", as the C library says it, for the errors that operators meet. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'No such file or directory';
  return code === 'EACCES' ? 'Permission denied' : message;
}
