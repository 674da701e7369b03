import { type Announcement, type Announcements, Kind, type Listener } from './announcements.js';
import type { VersionClock } from './version-clock.js';

/** Version of what a node was started with: anything that was set later is newer. */
const GIVEN_AT_START = 1;

interface Setting {
  readonly text: string;
  readonly version: number;
}

/**
 * Settings that hold for the whole cluster: the newest version of each is what counts, wherever it was set. Who hears of a newer one
 * tells it on, so that one which its setter has told to some only reaches all. Texts have one byte per character.
 */
export class SharedSettings implements Listener {
  /** A member has set it otherwise. */
  changed: (name: string, text: string) => void = () => undefined;
  readonly #announcements: Announcements;
  readonly #clock: VersionClock;
  readonly #settings = new Map<string, Setting>();

  constructor(announcements: Announcements, clock: VersionClock) {
    this.#announcements = announcements;
    this.#clock = clock;
    announcements.listeners.push(this);
  }

  /** The node was started with it: of members that were started with different ones, that with the greatest text counts. */
  start(name: string, text: string): void {
    if (text !== '') this.#keep(name, { text, version: GIVEN_AT_START });
  }

  /** Calls `told` when every member has it. */
  set(name: string, text: string, told: () => void): void {
    this.#keep(name, { text, version: this.#clock.next() });
    this.#announcements.whenTold(told);
  }

  heard(_from: unknown, { kind, name, number: version, text }: Announcement): void {
    if (kind !== Kind.Setting) return;
    const present = this.#settings.get(name) ?? { text: '', version: 0 };
    const isNewer =
      version > present.version || (version === present.version && text > present.text);
    if (!isNewer) return;
    this.#keep(name, { text, version });
    this.changed(name, text);
  }

  #keep(name: string, setting: Setting): void {
    this.#settings.set(name, setting);
    const { text, version } = setting;
    this.#announcements.announce({ kind: Kind.Setting, name, number: version, text });
  }
}
