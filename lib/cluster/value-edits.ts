import { copyBytes } from '../protocol/bytes.js';
import type { Request } from '../protocol/request.js';
import { isLargePayload } from '../store/size-classes.js';
import { type Ref, Role, type Store, ValueType } from '../store/store.js';
import type { ClusterState } from './cluster-state.js';
import type { EventNotes } from './event-notes.js';
import type { FoundEntry } from './found-entry.js';
import { FrameType } from './frames.js';
import type { KeyspaceEvents } from './keyspace-events.js';
import type { MirrorSender } from './mirror-sender.js';
import type { PrimaryEntries } from './primary-entries.js';

/** Encoding of a string that was made by APPEND or SETRANGE. */
export const RAW_ENCODING = 1;

/** Changes of a part of a value: they are done to it, and travel as edits where these are shorter than the value. */
export class ValueEdits {
  readonly #state: ClusterState;
  readonly #store: Store;
  readonly #mirror: MirrorSender;
  readonly #entries: PrimaryEntries;
  readonly #found: FoundEntry;
  readonly #events: KeyspaceEvents;
  readonly #notes: EventNotes;

  constructor(
    state: ClusterState,
    mirror: MirrorSender,
    entries: PrimaryEntries,
    found: FoundEntry,
    events: KeyspaceEvents,
    notes: EventNotes,
  ) {
    this.#state = state;
    this.#store = state.store;
    this.#mirror = mirror;
    this.#entries = entries;
    this.#found = found;
    this.#events = events;
    this.#notes = notes;
  }

  /** As Keyspace.writeRange. */
  writeRange(
    db: number,
    request: Request,
    keyIndex: number,
    offset: number,
    value: Buffer,
    start: number,
    end: number,
  ): void {
    const store = this.#store;
    const entries = this.#entries;
    let ref = this.#found.of(db, request, keyIndex);
    const isNew = ref === 0 || store.role(ref) !== Role.Primary;
    const isBlank = isNew || entries.isOver(ref) || store.type(ref) === ValueType.None;
    const before = isBlank ? 0 : store.valueLength(ref);
    const length = Math.max(before, offset + end - start);
    if (this.#events.classes !== 0) this.#notes.value(db, request, keyIndex, ref, false);
    // Zeros that fill a gap are part of the change.
    const changed = offset + end - start - Math.min(before, offset);
    const isEdit = !isBlank && changed < before && changed <= this.#state.config.partBytes;
    if (isNew) ref = entries.create(db, request, keyIndex, ref, ValueType.String, length);
    else {
      if (isBlank) store.setExpireAt(ref, 0);
      ref = entries.room(ref, length);
      store.attach(ref, null);
      if (store.type(ref) !== ValueType.String) store.setType(ref, ValueType.String);
    }
    const target = store.valueBuffer(ref);
    const at = store.valueStart(ref);
    if (offset > before) target.fill(0, at + before, at + offset);
    copyBytes(value, start, end, target, at + offset);
    if (isEdit) {
      const from = Math.min(before, offset);
      const to = offset + end - start;
      this.#mirror.edits.add(from, Math.min(before, to) - from, target, at + from, at + to);
      return this.#end(ref, RAW_ENCODING);
    }
    store.setEncodingFlags(ref, RAW_ENCODING);
    if (isNew) entries.adopt(ref);
    else entries.changed(ref, FrameType.Set);
  }

  /** As Keyspace.splice. */
  splice(ref: Ref, at: number, removed: number, source: Buffer, start: number, end: number): Ref {
    this.#mirror.edits.add(at, removed, source, start, end);
    this.#grown(end - start - removed);
    return this.#store.splice(ref, at, removed, source, start, end);
  }

  /** As Keyspace.replaceBytes. */
  replace(ref: Ref, value: Buffer): Ref {
    const store = this.#store;
    const before = store.valueLength(ref);
    if (!store.isLarge(ref) || !isLargePayload(store.keyLength(ref) + value.length)) {
      return this.splice(ref, 0, before, value, 0, value.length);
    }
    this.#mirror.edits.addWhole();
    this.#grown(value.length - before);
    return store.keep(ref, value);
  }

  #grown(delta: number): void {
    if (delta === 0) return;
    this.#found.drop();
    this.#mirror.grown += delta;
  }

  /** As Keyspace.edited. */
  edited(ref: Ref, encoding: number): void {
    if (this.#events.classes !== 0) this.#notes.edit(ref);
    this.#end(ref, encoding);
  }

  /** The whole value goes where it is no longer than the edits, or these are too long for one frame. */
  #end(ref: Ref, encoding: number): void {
    const store = this.#store;
    const { edits } = this.#mirror;
    store.setEncodingFlags(ref, encoding);
    const isShort =
      edits.bytes < store.valueLength(ref) && edits.bytes <= this.#state.config.partBytes;
    edits.base = store.version(ref);
    this.#entries.changed(ref, isShort ? FrameType.Edit : FrameType.Set);
    edits.clear();
  }
}
