import { awaitedKey, type KeyWaits } from '../../lib/cluster/awaited-keys.js';
import { type Key, keyOfArgument } from '../../lib/cluster/key.js';
import { KEEP_EXPIRY, type Keyspace } from '../../lib/cluster/keyspace-contract.js';
import { KeyspaceEvents } from '../../lib/cluster/keyspace-events.js';
import type {
  ClusterWideCommand,
  Executor,
  Operation,
  ReplySink,
  Router,
} from '../../lib/cluster/operation.js';
import type { Step, WatchMark } from '../../lib/cluster/step.js';
import type { WriteBarrier } from '../../lib/cluster/write-barrier.js';
import { matchesGlob } from '../../lib/protocol/glob.js';
import { ReplyWriter } from '../../lib/protocol/reply-writer.js';
import type { Request } from '../../lib/protocol/request.js';
import { type Ref, ValueType } from '../../lib/store/entry.js';
import { KeyHash } from '../../lib/store/key-hash.js';
import type { Attachment } from '../../lib/store/large-payloads.js';

interface Entry {
  readonly key: string;
  /** Of the last change. */
  version: number;
  value: Buffer;
  expireAt: number;
  usedAt: number;
  encoding: number;
  attached: Attachment | null;
  readonly type: number;
}

const DATABASES = 16;
const RAW_ENCODING = 1;
/** Larger values have something attached, as in the store. */
const LARGE_BYTES = 32 * 1024;
const HASH = new KeyHash(1);

const TYPE_NAMES: Readonly<Record<string, number>> = {
  string: ValueType.String,
  list: ValueType.List,
  set: ValueType.Set,
  zset: ValueType.ZSet,
  hash: ValueType.Hash,
};

/** Waits of a node without cluster: all that comes to be, comes to be here. */
class LocalWaits implements KeyWaits {
  listener: KeyWaits['listener'] = { look() {}, refused() {}, step() {} };
  readonly hints = 0;
  readonly #awaited = new Set<string>();

  get awaited(): number {
    return this.#awaited.size;
  }

  await({ id }: { id: string }): void {
    this.#awaited.add(id);
  }

  forget({ id }: { id: string }): void {
    this.#awaited.delete(id);
  }

  wantStep(): void {
    setImmediate(() => this.listener.step());
  }

  came(id: string): void {
    if (!this.#awaited.has(id)) return;
    this.listener.look(id);
    this.wantStep();
  }
}

/** Keyspace, router and barrier of a node without cluster, over plain Maps: what dispatcher and handlers are tested on. */
export class LocalNode implements Keyspace, Router, WriteBarrier {
  now = 0;
  readonly events = new KeyspaceEvents({ publish: () => undefined, invalidate: () => undefined });
  clock: () => number = Date.now;
  executor: Executor | null = null;
  /** Whether keys are here; otherwise commands on keys are submitted, and wait for `runSubmitted`. */
  local = true;
  full = false;
  refusalText: string | null = null;
  /** Acks that each change has to wait for, and who waits. */
  acksPerChange = 0;
  readonly registered: { sink: ReplySink; token: number }[] = [];
  readonly submitted: Operation[] = [];
  readonly keyWaits = new LocalWaits();
  readonly databases = Array.from({ length: DATABASES }, () => new Map<string, Entry>());
  #refs: (Entry | null)[] = [null];
  /** Databases of #refs: an entry has none of its own, since SWAPDB moves it. */
  #refDatabases: number[] = [0];
  #count = 0;
  #lastVersion = 0;
  readonly #deletes = new Map<string, number>();

  // --- WriteBarrier

  begin(): void {
    this.now = this.clock();
    this.#count = 0;
    this.#refs = [null];
    this.#refDatabases = [0];
  }

  count(): number {
    return this.#count;
  }

  register(sink: ReplySink, token: number): void {
    this.registered.push({ sink, token });
  }

  outOfMemory(): boolean {
    return this.full;
  }

  // --- Router

  mayRun(_db: number, _request: Request, _keyIndex: number): boolean {
    return this.local;
  }

  keepExpired(): void {}

  submit(operation: Operation): void {
    if (this.local) this.#execute(operation);
    else this.submitted.push(operation);
  }

  runSubmitted(): void {
    for (const operation of this.submitted.splice(0)) this.#execute(operation);
  }

  #execute(operation: Operation): void {
    this.begin();
    if (operation.step !== undefined) {
      operation.sink.complete(operation.token, this.#runStep(operation, operation.step));
      return;
    }
    const reply = new ReplyWriter();
    reply.proto = operation.proto;
    const { request, db, origin = null, runTime = null } = operation;
    this.executor!.execute(request, db, reply, origin, runTime);
    operation.sink.complete(operation.token, Buffer.from(reply.buffer.subarray(0, reply.length)));
  }

  #runStep({ request, databases }: Operation, step: Step): Buffer {
    const hasChanged = step.watched.some(
      ({ number, mark }) => this.#markOf(databases![number]!, request.latin1(number + 1)) !== mark,
    );
    return hasChanged ? step.changedReply : step.run(Number.POSITIVE_INFINITY)!;
  }

  watch({ db, bytes }: Key, done: (mark: WatchMark | null) => void): void {
    const name = bytes.latin1Slice(0, bytes.length);
    const entry = this.databases[db]!.get(name);
    if (entry !== undefined && this.#isOver(entry)) this.databases[db]!.delete(name);
    done(this.#markOf(db, name));
  }

  #isOver({ expireAt }: Entry): boolean {
    return expireAt !== 0 && expireAt <= this.now;
  }

  #markOf(db: number, key: string): WatchMark {
    const entry = this.databases[db]!.get(key);
    if (entry === undefined) return `absent, ${this.#deletes.get(`${db}:${key}`) ?? 0} deletes`;
    return this.#isOver(entry) ? 'over' : entry.version;
  }

  /** Set to false where it is to be shown what waits. */
  isOpen = true;

  open(): void {
    this.isOpen = true;
  }

  refusal(): string | null {
    return this.refusalText;
  }

  clusterWide(command: ClusterWideCommand, operation: Operation): void {
    this.begin();
    const reply = new ReplyWriter();
    reply.proto = operation.proto;
    this.#answer(command, operation.db, reply);
    operation.sink.complete(operation.token, Buffer.from(reply.buffer.subarray(0, reply.length)));
  }

  #answer(command: ClusterWideCommand, db: number, reply: ReplyWriter): void {
    const keys = this.databases[db]!;
    switch (command.kind) {
      case 'dbsize':
        reply.integer(keys.size);
        break;
      case 'randomkey': {
        const first = keys.keys().next();
        if (first.done) reply.nil();
        else reply.bulkLatin1(first.value);
        break;
      }
      case 'keys':
        writeKeys(this.#matching(db, command.pattern, null), reply);
        break;
      case 'scan':
        reply.array(2);
        reply.bulkLatin1('0');
        writeKeys(this.#matching(db, command.pattern, command.type), reply);
        break;
      case 'flush':
        if (command.allDatabases) for (const one of this.databases) one.clear();
        else keys.clear();
        reply.ok();
        break;
      case 'swapdb': {
        const first = this.databases[command.first]!;
        this.databases[command.first] = this.databases[command.second]!;
        this.databases[command.second] = first;
        reply.ok();
        break;
      }
    }
  }

  #matching(db: number, pattern: Buffer | null, type: string | null): string[] {
    return [...this.databases[db]!.values()]
      .filter((entry) => type === null || entry.type === TYPE_NAMES[type])
      .filter((entry) => entry.expireAt === 0 || entry.expireAt > this.now)
      .map((entry) => entry.key)
      .filter((key) => {
        const text = Buffer.from(key, 'latin1');
        return !pattern || matchesGlob(pattern, 0, pattern.length, text, 0, text.length);
      });
  }

  // --- Keyspace

  find(db: number, request: Request, index: number): Ref {
    const ref = this.peek(db, request, index);
    if (ref !== 0) this.#refs[ref]!.usedAt = this.now;
    return ref;
  }

  peek(db: number, request: Request, index: number): Ref {
    const entry = this.databases[db]!.get(request.latin1(index));
    if (entry === undefined) return 0;
    if (this.#isOver(entry)) {
      this.databases[db]!.delete(entry.key);
      this.#countDelete(db, entry.key);
      return 0;
    }
    return this.#refOf(db, entry);
  }

  #refOf(db: number, entry: Entry): Ref {
    this.#refDatabases.push(db);
    return this.#refs.push(entry) - 1;
  }

  typeOf(ref: Ref): number {
    return this.#refs[ref]!.type;
  }

  expireAt(ref: Ref): number {
    return this.#refs[ref]!.expireAt;
  }

  idleSeconds(ref: Ref): number {
    return Math.floor((this.now - this.#refs[ref]!.usedAt) / 1000);
  }

  frequency(): null {
    return null;
  }

  setFrequency(): void {}

  setIdle(ref: Ref, seconds: number): void {
    this.#refs[ref]!.usedAt = this.now - seconds * 1000;
  }

  valueBuffer(ref: Ref): Buffer {
    return this.#refs[ref]!.value;
  }

  valueStart(_ref: Ref): number {
    return 0;
  }

  valueLength(ref: Ref): number {
    return this.#refs[ref]!.value.length;
  }

  isRaw(ref: Ref): boolean {
    return this.#refs[ref]!.encoding === RAW_ENCODING;
  }

  encodingOf(ref: Ref): number {
    return this.#refs[ref]!.encoding;
  }

  attached(ref: Ref): Attachment | null {
    return this.#refs[ref]!.attached;
  }

  attach(ref: Ref, attached: Attachment | null): void {
    this.#refs[ref]!.attached = this.isLarge(ref) ? attached : null;
  }

  isLarge(ref: Ref): boolean {
    return this.#refs[ref]!.value.length > LARGE_BYTES;
  }

  hashOf(buffer: Buffer, start: number, end: number): number {
    return HASH.of(buffer, start, end);
  }

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
  ): Ref {
    const key = request.latin1(keyIndex);
    if (this.databases[db]!.get(key)?.type !== type) {
      this.keyWaits.came(awaitedKey(type, keyOfArgument(db, request, keyIndex)).id);
    }
    this.set(db, key, Buffer.from(value.subarray(start, end)), expireAt, type);
    const entry = this.databases[db]!.get(key)!;
    entry.encoding = encoding;
    return this.#refOf(db, entry);
  }

  splice(ref: Ref, at: number, removed: number, source: Buffer, start: number, end: number): Ref {
    const entry = this.#refs[ref]!;
    const { value } = entry;
    const inserted = source.subarray(start, end);
    entry.value = Buffer.concat([value.subarray(0, at), inserted, value.subarray(at + removed)]);
    if (entry.value.length <= LARGE_BYTES) entry.attached = null;
    return ref;
  }

  replaceBytes(ref: Ref, value: Buffer): Ref {
    const entry = this.#refs[ref]!;
    entry.value = value;
    entry.attached = null;
    return ref;
  }

  edited(ref: Ref, encoding: number): void {
    this.#refs[ref]!.encoding = encoding;
    this.#refs[ref]!.version = ++this.#lastVersion;
    this.#changed();
  }

  setString(
    db: number,
    request: Request,
    keyIndex: number,
    value: Buffer,
    start: number,
    end: number,
    expireAt: number,
  ): void {
    this.set(db, request.latin1(keyIndex), Buffer.from(value.subarray(start, end)), expireAt);
  }

  /** Sets a key as a test's premise or as a command; `type` other than a string's makes a value of a wrong type. */
  set(
    db: number,
    key: string,
    value: Buffer,
    expireAt: number,
    type: number = ValueType.String,
  ): void {
    const kept = this.databases[db]!.get(key)?.expireAt ?? 0;
    this.databases[db]!.set(key, {
      key,
      version: ++this.#lastVersion,
      value,
      expireAt: expireAt === KEEP_EXPIRY ? kept : expireAt,
      usedAt: this.now,
      encoding: 0,
      attached: null,
      type,
    });
    this.#changed();
  }

  writeRange(
    db: number,
    request: Request,
    keyIndex: number,
    offset: number,
    value: Buffer,
    start: number,
    end: number,
  ): void {
    const key = request.latin1(keyIndex);
    const entry = this.databases[db]!.get(key);
    const old = entry?.value ?? Buffer.alloc(0);
    const grown = Buffer.alloc(Math.max(old.length, offset + end - start));
    old.copy(grown);
    value.copy(grown, offset, start, end);
    this.set(db, key, grown, KEEP_EXPIRY);
    this.databases[db]!.get(key)!.encoding = RAW_ENCODING;
  }

  setExpiry(ref: Ref, expireAt: number): void {
    this.#refs[ref]!.expireAt = expireAt;
    this.#refs[ref]!.version = ++this.#lastVersion;
    this.#changed();
  }

  remove(ref: Ref): void {
    const { key } = this.#refs[ref]!;
    const db = this.#refDatabases[ref]!;
    this.databases[db]!.delete(key);
    this.#countDelete(db, key);
    this.#changed();
  }

  rename(db: number, request: Request, fromIndex: number, toIndex: number): void {
    const keys = this.databases[db]!;
    const entry = keys.get(request.latin1(fromIndex))!;
    keys.delete(entry.key);
    const key = request.latin1(toIndex);
    keys.set(key, { ...entry, key, version: ++this.#lastVersion });
    this.#countDelete(db, entry.key);
    this.#changed();
  }

  move(db: number, request: Request, index: number, toDb: number): void {
    const key = request.latin1(index);
    const entry = this.databases[db]!.get(key)!;
    this.databases[db]!.delete(key);
    this.databases[toDb]!.set(key, { ...entry, version: ++this.#lastVersion });
    this.#deletes.set(key, (this.#deletes.get(key) ?? 0) + 1);
    this.#changed();
  }

  atomically(changes: () => void): void {
    changes();
  }

  #countDelete(db: number, key: string): void {
    const id = `${db}:${key}`;
    this.#deletes.set(id, (this.#deletes.get(id) ?? 0) + 1);
  }

  #changed(): void {
    this.#count += this.acksPerChange;
  }
}

function writeKeys(keys: readonly string[], reply: ReplyWriter): void {
  reply.array(keys.length);
  for (const key of keys) reply.bulkLatin1(key);
}
