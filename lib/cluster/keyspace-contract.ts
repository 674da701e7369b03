import type { Request } from '../protocol/request.js';
import type { Attachment, Ref, ValueType } from '../store/store.js';

/** Given as an expiry to leave it as it is. */
export const KEEP_EXPIRY = -1;

/** What handlers say of keyspace events that the changes alone do not tell. Costs one check while none are asked for. */
export interface EventNaming {
  /** A key that is only read is not there. */
  missed(db: number, request: Request, index: number): void;
  /** The name of the next change, where that is not the command's. */
  nameNext(name: string): void;
  /** An event of the command's class, although nothing is changed. */
  tell(db: number, request: Request, index: number, name: string): void;
  /** What is changed inside is told of behind all else of the command. */
  tellLast(changes: () => void): void;
}

/**
 * The keys as command handlers see them: all are local, versions and mirror frames are made inside. A Ref is valid until
 * the next change made through this interface. Expiries are absolute Unix milliseconds, 0 for none.
 */
export interface Keyspace {
  /** Wall clock of the running command, Unix milliseconds. */
  readonly now: number;
  /** The entry of key argument `index`, 0 when there is none; an expired one is deleted (and mirrored) first. Counts a use. */
  find(db: number, request: Request, index: number): Ref;
  /** As find, without counting a use (OBJECT, TTL, TYPE and other observers). */
  peek(db: number, request: Request, index: number): Ref;
  typeOf(ref: Ref): number;
  expireAt(ref: Ref): number;
  /** Seconds since the last use. */
  idleSeconds(ref: Ref): number;
  /** As if it was used so many seconds ago for the last time. */
  setIdle(ref: Ref, seconds: number): void;
  /** How often it is used, 0 to 255 on a logarithmic scale; null where no policy counts that. */
  frequency(ref: Ref): number | null;
  setFrequency(ref: Ref, frequency: number): void;
  valueBuffer(ref: Ref): Buffer;
  valueStart(ref: Ref): number;
  valueLength(ref: Ref): number;
  /** How the value is encoded: three bits that mean what its type makes of them. */
  encodingOf(ref: Ref): number;
  /** What was attached to the value since it was last replaced, or changed by another node; null for nothing. */
  attached(ref: Ref): Attachment | null;
  /** Keeps something with a large value for as long as that stays here, null for nothing. */
  attach(ref: Ref, attached: Attachment | null): void;
  /** Whether something can be attached: values above 32 KB can have it, some smaller ones too. */
  isLarge(ref: Ref): boolean;
  /** A hash with a seed that is the cluster's: uint32. */
  hashOf(buffer: Buffer, start: number, end: number): number;
  /** Whether a string was made by APPEND or SETRANGE: OBJECT ENCODING then says "raw". */
  isRaw(ref: Ref): boolean;
  /** Notes of changes that are made here, for keyspace events. */
  readonly events: EventNaming;
  /** Creates or replaces a key, whatever its type was, by a string. */
  setString(
    db: number,
    request: Request,
    keyIndex: number,
    value: Buffer,
    start: number,
    end: number,
    expireAt: number,
  ): void;
  /** As setString, for a value of any type; returns its entry. */
  setValue(
    db: number,
    request: Request,
    keyIndex: number,
    type: ValueType,
    encoding: number,
    value: Buffer,
    start: number,
    end: number,
    expireAt: number,
  ): Ref;
  /**
   * Replaces `removed` bytes of the value at `at` by `source[start, end)`, which is not the value's own buffer. Returns the
   * entry's ref from now on. `edited` ends the change.
   */
  splice(ref: Ref, at: number, removed: number, source: Buffer, start: number, end: number): Ref;
  /** As a splice of all of the value by these bytes, whose allocation is the keyspace's from now on. What was attached goes. */
  replaceBytes(ref: Ref, value: Buffer): Ref;
  /** What was spliced since the last call is one change of the key. */
  edited(ref: Ref, encoding: number): void;
  /** Overwrites from `offset` on, growing with zero bytes; creates the key when absent. The string is raw from now on. */
  writeRange(
    db: number,
    request: Request,
    keyIndex: number,
    offset: number,
    value: Buffer,
    start: number,
    end: number,
  ): void;
  setExpiry(ref: Ref, expireAt: number): void;
  remove(ref: Ref): void;
  /** Gives the value and expiry of one key argument to another, replacing what is there, as one change. */
  rename(db: number, request: Request, fromIndex: number, toIndex: number): void;
  /** Gives the value and expiry of a key to the same key of another database, where there is none, as one change. */
  move(db: number, request: Request, index: number, toDb: number): void;
  /** Changes made inside are mirrored as one frame, all or nothing: only for keys that were gathered (KeyMode.Gather). */
  atomically(changes: () => void): void;
}
