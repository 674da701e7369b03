import { KeyList } from '../../cluster/key-list.js';
import type { CommandTraits } from '../../cluster/operation.js';
import { type Step, stepTraits } from '../../cluster/step.js';
import { LuaType } from '../../lua/lua.js';
import type { Ending, Run, ScriptMachine } from '../../lua/script-machine.js';
import { ReplyWriter } from '../../protocol/reply-writer.js';
import type { Request } from '../../protocol/request.js';
import { forbiddenInStep } from '../acl/access.js';
import type { AclUser } from '../acl/user.js';
import type { ClientSession } from '../client-session.js';
import { Errors, notInScript } from '../errors.js';
import type { NodeServices } from '../services.js';
import { type CommandSpec, QueueMode, type StepCommands } from '../spec.js';
import { arityFits, type CommandTable, keyPlaces } from '../table.js';
import type { RunningScript } from './redis-library.js';
import type { ScriptEngine } from './script-engine.js';
import type { ScriptText } from './script-header.js';
import { writeValue } from './script-values.js';

/** What read-only scripts may not call either: Redis may tell its replicas of these. */
const MAY_REPLICATE: readonly string[] = ['pfcount', 'publish', 'spublish'];

/** The bounds that end a script, as they are counted. */
const LIMITS = {
  overdue: 'script-time',
  'too long': 'script-unbroken',
  'no memory': 'script-memory',
  done: undefined,
  failed: undefined,
  killed: undefined,
} as const;

/** What a script works with. */
export interface ScriptParts {
  readonly engine: ScriptEngine;
  /** Null while other members are asked for it: see `resolve`. */
  readonly script: ScriptText | null;
  readonly client: ClientSession;
  readonly db: number;
  readonly keys: readonly Buffer[];
  readonly args: readonly Buffer[];
  readonly readOnly: boolean;
  readonly table: CommandTable;
  readonly services: NodeServices;
  readonly commands: StepCommands;
}

/** A script as a step: its keys are held, and its commands run one after the other, in as many turns as it takes. */
export class ScriptRun implements Step, RunningScript {
  readonly watched: Step['watched'] = [];
  readonly changedReply = Buffer.alloc(0);
  readonly outOfMemory = Errors.outOfMemory;
  readonly bytes: number;
  readonly isLong = true;
  hasWritten = false;
  /** When it last asked for a slice, Unix milliseconds. */
  askedAt = 0;
  readonly #parts: ScriptParts;
  readonly #declared: ReadonlySet<string>;
  readonly #reply = new ReplyWriter();
  readonly #startedAt: number;
  /** Whose rights it has: those of who has begun it, whatever becomes of the client while it runs. */
  readonly #user: AclUser;
  readonly #proto: 2 | 3;
  #machine: ScriptMachine | null = null;
  #run: Run | null = null;
  #db: number;
  #speaks: 2 | 3 = 2;
  #isKilled = false;
  #script: ScriptText | null;
  /** No member knows it. */
  #isUnknown = false;

  constructor(parts: ScriptParts) {
    const { db, client, args, services } = parts;
    this.#parts = parts;
    this.#script = parts.script;
    this.#db = db;
    this.#proto = client.reply.proto;
    this.#user = client.user;
    this.#declared = new Set(parts.keys.map((key) => `${db}:${key.toString('latin1')}`));
    this.bytes = args.reduce((sum, arg) => sum + arg.length, 0);
    this.#startedAt = services.now();
  }

  /** What the other members have answered; null where none knows the script. */
  resolve(script: ScriptText | null): void {
    this.#script = script;
    this.#isUnknown = script === null;
  }

  kill(): void {
    this.#isKilled = true;
  }

  /** Its keys, and what is to be known of it, for those who gather them. */
  declare(): { keys: KeyList; traits: CommandTraits } {
    const { db, readOnly } = this.#parts;
    const keys = new KeyList();
    for (const key of this.#parts.keys) keys.add(db, key, 0, key.length);
    const isWrite = !readOnly && this.#script?.noWrites !== true;
    const denyOom = isWrite && this.#script?.allowOom !== true;
    return { keys, traits: stepTraits('eval', isWrite, denyOom) };
  }

  // --- Step

  get isReady(): boolean {
    return this.#script !== null || this.#isUnknown;
  }

  run(room: number): Buffer | null {
    const { engine } = this.#parts;
    const toTheEnd = !Number.isFinite(room);
    const script = this.#script;
    if (script === null) return this.#refuse(Errors.noScript);
    engine.asksForTurn(this);
    if (this.#parts.readOnly && script.hasHeader && !script.noWrites)
      return this.#refuse(Errors.writesInReadOnly);
    if (!toTheEnd && this.#run !== null && !this.#isKilled && !engine.isTurnOf(this)) return null;
    try {
      const ending = engine.enter(this, () => this.#slice(script, toTheEnd));
      if (ending === 'yielded') return null;
      return this.#end(ending);
    } catch (error) {
      // The interpreter itself has failed: nobody knows what is left of it.
      this.#parts.services.log('warn', 'lua interpreter discarded', {
        error: String(error),
        sha: script.sha,
      });
      if (this.#machine !== null) engine.discard(this.#machine);
      return this.#refuse('ERR the script has crashed its interpreter');
    }
  }

  #refuse(error: string): Buffer {
    this.#parts.engine.ended(this);
    return this.#write((reply) => reply.error(error));
  }

  #slice(script: ScriptText, toTheEnd: boolean): Ending | 'killed' | 'overdue' {
    const { engine, keys, args, services } = this.#parts;
    if (this.#run === null) {
      this.#machine = engine.machine();
      const error = this.#machine.compile(script.sha, script.code);
      if (error !== null) throw new Error(error);
      this.#run = this.#machine.start(script.sha, keys, args);
    }
    if (this.#isKilled) return 'killed';
    const limitMs = services.config.get('script-time-limit');
    if (limitMs > 0 && services.now() - this.#startedAt > limitMs) return 'overdue';
    return this.#machine!.run(this.#run, toTheEnd);
  }

  #end(ending: Exclude<Ending, 'yielded'> | 'killed' | 'overdue'): Buffer {
    const machine = this.#machine!;
    const { engine, services } = this.#parts;
    const limit = LIMITS[ending];
    if (limit !== undefined) services.statistics.limits.add(limit);
    const reply = this.#write((writer) => {
      if (ending !== 'done') {
        writer.error(this.#errorOf(ending));
        return;
      }
      const { lua } = machine;
      if (lua.top === 0) writer.nil();
      else {
        lua.top = 1;
        writeValue(lua, writer, this.#speaks === 3);
      }
    });
    machine.end(this.#run!);
    engine.ended(this);
    if (ending === 'no memory') engine.discard(machine);
    return reply;
  }

  #errorOf(ending: Exclude<Ending, 'yielded' | 'done'> | 'killed' | 'overdue'): string {
    const line = this.#machine!.lineOf(this.#run!);
    const where = line === null ? '' : `, on @user_script:${line}.`;
    return `${this.#messageOf(ending)} script: ${this.#script!.sha}${where}`;
  }

  #messageOf(ending: Exclude<Ending, 'yielded' | 'done'> | 'killed' | 'overdue'): string {
    const { lua } = this.#machine!;
    if (ending === 'killed') return 'ERR Script killed by user with SCRIPT KILL.';
    if (ending === 'overdue') return 'ERR Script ran for longer than script-time-limit.';
    if (ending === 'too long') return 'ERR Script ran for too long where it cannot be suspended.';
    if (lua.type(-1) === LuaType.Table) {
      lua.getField(-1, 'err');
      return lua.type(-1) === LuaType.String ? lua.latin1(-1) : 'ERR unknown error';
    }
    const type = lua.type(-1);
    if (type === LuaType.Nil) return 'ERR nil';
    if (type === LuaType.Boolean) return `ERR ${lua.boolean(-1)}`;
    const isText = type === LuaType.String || type === LuaType.Number;
    return isText ? `ERR ${lua.latin1(-1)}` : 'ERR unknown error';
  }

  #write(write: (reply: ReplyWriter) => void): Buffer {
    const reply = new ReplyWriter();
    reply.proto = this.#proto;
    write(reply);
    return Buffer.from(reply.buffer.subarray(0, reply.length));
  }

  // --- RunningScript

  setProtocol(version: 2 | 3): void {
    this.#speaks = version;
  }

  log(level: number, text: string): void {
    const WARNING = 3;
    this.#parts.services.log(level === WARNING ? 'warn' : 'info', 'script', { text });
  }

  call(request: Request): Buffer {
    const { table, client, commands } = this.#parts;
    const reply = this.#reply;
    reply.reset();
    reply.proto = this.#speaks;
    const spec = table.find(request);
    const error = this.#refusal(spec, request);
    if (error !== null) reply.error(error);
    else if (spec!.name === 'select') this.#select(request, reply);
    else {
      this.hasWritten ||= spec!.write;
      commands.run(client, spec!, request, this.#db, reply, 'lua');
    }
    this.#machine!.lookAtClock();
    return reply.buffer.subarray(0, reply.length);
  }

  mayRun(request: Request): boolean | null {
    const spec = this.#parts.table.find(request);
    return spec === null ? null : this.#user.refusal(spec, request) === null;
  }

  #select(request: Request, reply: ReplyWriter): void {
    const text = request.latin1(1);
    const db = Number(text);
    if (!/^-?\d+$/.test(text)) reply.error('ERR invalid DB index');
    else if (!(db >= 0 && db < this.#parts.services.config.get('databases')))
      reply.error('ERR DB index is out of range');
    else {
      this.#db = db;
      reply.ok();
    }
  }

  /** Why a script may not call this; in the order of Redis's checks. */
  #refusal(spec: CommandSpec | null, request: Request): string | null {
    const { readOnly } = this.#parts;
    if (spec === null) return 'ERR Unknown Redis command called from script';
    if (spec.run === null || !arityFits(spec, request.argc))
      return 'ERR Wrong number of args calling Redis command from script';
    if (spec.facts.flags.split(' ').includes('noscript'))
      return 'ERR This Redis command is not allowed from script';
    const forbidden = this.#forbidden(spec, request);
    if (forbidden !== null) return forbidden;
    if (spec.queueMode === QueueMode.NotAlone) return notInScript(spec.name);
    if ((readOnly || this.#script!.noWrites) && (spec.write || MAY_REPLICATE.includes(spec.name)))
      return 'ERR Write commands are not allowed from read-only scripts.';
    return this.#isDeclared(spec, request) ? null : Errors.notDeclared;
  }

  #forbidden(spec: CommandSpec, request: Request): string | null {
    if (this.#user.isUnrestricted) return null;
    const { client, services } = this.#parts;
    const user = this.#user;
    return forbiddenInStep(services, { client, user, request, spec, context: 'lua' });
  }

  /** A node that is alone has all keys, as a Redis without cluster has. */
  #isDeclared(spec: CommandSpec, request: Request): boolean {
    if (!spec.hasKeys || this.#parts.services.cluster.members.length <= 1) return true;
    const { keys, databases } = keyPlaces(spec, request, this.#db);
    return keys.every((index, number) => {
      const db = databases?.[number] ?? this.#db;
      return this.#declared.has(`${db}:${request.latin1(index)}`);
    });
  }
}
