import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { Logger } from '../base/logger.js';
import type { Address } from '../cluster/member.js';

/** Addresses kept at most; a cluster has fewer members. */
const ADDRESSES_MAX = 1024;
const HEADING =
  '# Bus addresses of the members last seen; written by Tandis, joined at the next start.\n';

/** "host:port", with brackets around an IPv6 address. */
function show({ host, busPort }: Address): string {
  return host.includes(':') ? `[${host}]:${busPort}` : `${host}:${busPort}`;
}

/**
 * The addresses of the members that a node has seen, in a file (cluster-config-file): what it joins when it starts
 * again. One bus address per line. The file is replaced as a whole, so that it is never half written.
 */
export class ClusterConfigFile {
  readonly #path: string;
  readonly #logger: Logger;
  #written = '';
  /** What is to be written, null when that is done. */
  #next: string | null = null;
  #writing = false;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** Bus addresses of the last life; none when there is no file. Throws when it cannot be read. */
  read(): string[] {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    const lines = text.split('\n').map((line) => line.trim());
    return lines.filter((line) => line !== '' && !line.startsWith('#')).slice(0, ADDRESSES_MAX);
  }

  /** Keeps these addresses. A failure is logged: the node serves without. */
  write(members: readonly Address[]): void {
    const text = `${HEADING}${members.map((member) => `${show(member)}\n`).join('')}`;
    if (text === this.#written) return;
    this.#written = text;
    this.#next = text;
    if (!this.#writing) void this.#writeNext();
  }

  async #writeNext(): Promise<void> {
    this.#writing = true;
    while (this.#next !== null) {
      const text = this.#next;
      this.#next = null;
      try {
        await writeFile(`${this.#path}.new`, text);
        await rename(`${this.#path}.new`, this.#path);
      } catch (error) {
        this.#logger.warn('cluster-config-file cannot be written', {
          path: this.#path,
          error: (error as Error).message,
        });
      }
    }
    this.#writing = false;
  }
}
