import { readFileSync } from 'node:fs';
import { open, rename, stat, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  addSetting,
  changeConfigText,
  type OptionTexts,
  parseConfigText,
} from '../admin/config-text.js';
import { Config } from '../base/config.js';
import { OptionError } from '../base/option-values.js';
import { OPTION_NAMES, optionFacts } from '../base/options.js';

/** Files that include one another, at most so deep. */
const INCLUDE_DEPTH_MAX = 16;
/** Of one file, bytes. */
const FILE_BYTES_MAX = 1024 * 1024;

function textOf(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new OptionError(`cannot read ${path}: ${(error as Error).message}`);
  }
  if (bytes.length > FILE_BYTES_MAX) {
    throw new OptionError(`${path} is longer than ${FILE_BYTES_MAX} bytes`);
  }
  return bytes.toString('utf8');
}

/** The settings of a file's text, with those of the files that it includes in their place. */
function settingsOf(path: string, text: string, texts: OptionTexts, depth: number): void {
  for (const { name, value, line } of parseConfigText(text, path)) {
    try {
      if (name !== 'include') addSetting(texts, name, value);
      else if (depth === INCLUDE_DEPTH_MAX) throw new OptionError('files include one another');
      else includeInto(texts, resolve(dirname(path), value), depth + 1);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      throw new OptionError(`${path}, line ${line}: ${error.message}`);
    }
  }
}

function includeInto(texts: OptionTexts, path: string, depth: number): void {
  settingsOf(path, textOf(path), texts, depth);
}

/** The configuration file of a node, in the syntax of redis.conf. Names of included files are relative to the file. */
export class ConfigFile {
  /** Absolute. */
  readonly path: string;
  /** Settles when the rewriting under way is done: one at a time. */
  #rewriting: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** What it sets. Throws OptionError, which names file, line and reason. */
  read(): OptionTexts {
    return this.#settings(textOf(this.path));
  }

  /**
   * CONFIG REWRITE: brings the file to the configuration of now, and keeps its comments, its order, and what is so
   * already. It is replaced as a whole. Rejects with the reason, and leaves it untouched, when that cannot be done.
   */
  rewrite(config: Config): Promise<void> {
    const done = this.#rewriting.then(() => this.#rewrite(config));
    this.#rewriting = done.catch(() => undefined);
    return done;
  }

  #settings(text: string): OptionTexts {
    const texts: OptionTexts = {};
    settingsOf(this.path, text, texts, 0);
    return texts;
  }

  /** The options that a file of this text sets to something else than they are. */
  #differences(text: string, config: Config): OptionTexts {
    const read = new Config(this.#settings(text));
    const differing = OPTION_NAMES.filter((name) => read.show(name) !== config.show(name));
    return Object.fromEntries(
      differing
        .filter((name) => optionFacts(name).fixed !== true)
        .map((name) => [name, config.show(name)]),
    );
  }

  async #rewrite(config: Config): Promise<void> {
    const before = textOf(this.path);
    const changes = this.#differences(before, config);
    if (Object.keys(changes).length === 0) return;
    const after = changeConfigText(before, this.path, changes);
    const [left] = Object.keys(this.#differences(after, config));
    if (left !== undefined) throw new Error(`an included file sets ${left}`);
    const { mode } = await stat(this.path);
    const next = `${this.path}.new`;
    const file = await open(next, 'w', mode & 0o777);
    try {
      await file.writeFile(after);
      await file.sync();
      await file.close();
      await rename(next, this.path);
    } catch (error) {
      await file.close().catch(() => undefined);
      await unlink(next).catch(() => undefined);
      throw error;
    }
  }
}
