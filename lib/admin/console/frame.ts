/** What the server tells the page, as JSON. Types only: the page is compiled with them as well. */

/** What a member says of itself. */
export interface MemberFigures {
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly primaries: number;
  readonly backups: number;
  readonly keysWithoutBackup: number;
  readonly memoryBytes: number;
  /** 0 for no limit. */
  readonly memoryMaxBytes: number;
  readonly residentBytes: number;
  readonly clients: number;
  readonly operationsPerSecond: number;
  /** Of the last second, in the node: without the network and the wait for the backup. Null when nothing ran. */
  readonly microsecondsPerCommand: number | null;
  /** 0 to 1: of the last second, how much its event loop was at work. */
  readonly busy: number;
}

export type MemberState = 'serving' | 'leaving' | 'not serving' | 'no answer';

export interface MemberFrame {
  readonly id: string;
  readonly address: string;
  readonly zone: string;
  readonly state: MemberState;
  /** Null when it has never answered. */
  readonly answeredMsAgo: number | null;
  readonly figures: MemberFigures | null;
}

/**
 * Keys without backup. `safe`: none, and every member says so. `waiting`: so many. `moving`: none that is known of, but
 * copies are on their way. `alone`: one member, which holds so many. `unknown`: a member did not answer.
 */
export interface SafetyFrame {
  readonly state: 'safe' | 'waiting' | 'moving' | 'alone' | 'unknown';
  readonly count: number | null;
  /** Addresses of members that have not answered. */
  readonly silent: readonly string[];
}

export interface EventFrame {
  /** The same for one event, whoever tells it. */
  readonly key: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly kind: string;
  readonly text: string;
  readonly view: number;
  /** Address of the member that tells it. */
  readonly by: string;
}

export interface SlowFrame {
  readonly at: number;
  readonly by: string;
  readonly microseconds: number;
  readonly command: string;
  readonly arguments: number;
  /** Empty where there is none. */
  readonly key: string;
}

export interface HotKeyFrame {
  readonly key: string;
  /** Addresses of the members that it is used on. */
  readonly by: readonly string[];
  /** 0 to 1, of the sampled uses of keys. */
  readonly share: number;
}

export interface Frame {
  readonly at: number;
  /** Which member this is the console of. */
  readonly self: string;
  readonly view: number;
  readonly members: readonly MemberFrame[];
  readonly safety: SafetyFrame;
  /** By index of members: keys whose primary is the row's and whose backup is the column's; null where unknown. */
  readonly copies: readonly (readonly (number | null)[])[];
  readonly slow: readonly SlowFrame[];
  readonly hot: readonly HotKeyFrame[];
  /** Sampled uses of keys that `hot` was made of. */
  readonly hotSamples: number;
  /** Those that the listener has not been sent yet, in any order. */
  readonly events: readonly EventFrame[];
  /** Who is logged in; null for nobody: names of keys are masked then. */
  readonly user: string | null;
  readonly may: readonly ('drain' | 'forget' | 'keys')[];
}

export interface PlaceFrame {
  readonly slot: number;
  readonly anchor: string | null;
  readonly primary: string | null;
  readonly backup: string | null;
  readonly version: number;
  /** Unix milliseconds by which it was changed last, as its version says; null when there is no such key. */
  readonly changedAt: number | null;
  /** Unix milliseconds, 0 for never. */
  readonly expireAt: number;
  readonly settled: boolean;
  /** Whether who asks may be shown the value. */
  readonly mayShow: boolean;
}

export interface ValueFrame {
  /** As TYPE says it. */
  readonly type: string;
  /** Of the whole value, in bytes. */
  readonly length: number;
  /** A string, what is not printable of it escaped; null for other types. */
  readonly text: string | null;
  /** There is more of it than the text says. */
  readonly isCut: boolean;
}
