import type { OutputLimits } from './option-values.js';
import { TLS_OPTIONS } from './tls-options.js';

/**
 * Every option, as data. The command line, CONFIG GET and CONFIG SET, and docs/options.md are made from this table.
 *
 * `mutable`: may change at run time. `shared`: then it changes on all nodes of the cluster. `fixed`: not an option at all, only an answer for clients that ask by CONFIG GET.
 */
export interface OptionFacts {
  readonly summary: string;
  readonly mutable?: true;
  readonly fixed?: true;
  /** Never shown to clients. */
  readonly hidden?: true;
  readonly shared?: true;
  /** Another name of Redis's, taken and shown as well. */
  readonly alias?: string;
}

interface IntegerOption extends OptionFacts {
  readonly type: 'integer';
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly unit?: 'ms' | 's' | 'keys' | 'commands';
}

interface BytesOption extends OptionFacts {
  readonly type: 'bytes';
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

interface ChoiceOption extends OptionFacts {
  readonly type: 'choice';
  readonly default: string;
  readonly choices: readonly string[];
}

interface StringOption extends OptionFacts {
  readonly type: 'string';
  readonly default: string;
  readonly lengthMax?: number;
}

/** Given several times, or once with spaces between; bus addresses, host:port. */
interface AddressesOption extends OptionFacts {
  readonly type: 'addresses';
  readonly default: readonly string[];
}

/** Given several times; each is a line of words with one space between. */
interface LinesOption extends OptionFacts {
  readonly type: 'lines';
  readonly default: readonly string[];
}

interface OutputLimitsOption extends OptionFacts {
  readonly type: 'output-limits';
  readonly default: OutputLimits;
}

/** Letters of classes of keyspace events. */
interface EventClassesOption extends OptionFacts {
  readonly type: 'event-classes';
  readonly default: string;
}

export type Option =
  | IntegerOption
  | BytesOption
  | ChoiceOption
  | StringOption
  | AddressesOption
  | LinesOption
  | OutputLimitsOption
  | EventClassesOption;

const INT_MAX = 2 ** 31 - 1;
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** What the messages of the cluster bus have room for. */
const HOST_LENGTH_MAX = 255;
const ZONE_LENGTH_MAX = 64;
/** Largest value that one Buffer holds on every supported Node. */
const BULK_MAX = 2 * GIB;
const LAZY_FREE = {
  type: 'choice',
  default: 'no',
  choices: ['yes', 'no'],
  mutable: true,
  summary: 'kept for clients that ask: what goes is given back at once, which holds up nobody',
} as const;

export const OPTIONS = {
  port: {
    type: 'integer',
    default: 7001,
    min: 0,
    max: 65535,
    summary: 'TCP port for clients; 0 takes a free one (with tls-port: none)',
  },
  bind: {
    type: 'string',
    default: '127.0.0.1',
    lengthMax: HOST_LENGTH_MAX,
    summary: 'address that the ports for clients and members listen on',
  },
  'cluster-port': {
    type: 'integer',
    default: 0,
    min: 0,
    max: 65535,
    summary: 'TCP port of the cluster bus; 0 means port + 10000',
  },
  'admin-port': {
    type: 'integer',
    default: 0,
    min: 0,
    max: 65535,
    summary: 'TCP port of the console, /healthz, /readyz and /metrics over HTTP; 0 for none',
  },
  'admin-bind': {
    type: 'string',
    default: '127.0.0.1',
    lengthMax: HOST_LENGTH_MAX,
    summary: 'address that the admin port listens on; whoever reaches it reads figures, no keys',
  },
  'admin-host': {
    type: 'string',
    default: '',
    lengthMax: 1024,
    mutable: true,
    summary:
      'names that browsers may reach the console by, spaces between; addresses and localhost always may',
  },
  'admin-show-values': {
    type: 'choice',
    default: 'no',
    choices: ['no', 'yes'],
    summary:
      'yes lets the console of this node show the value of a key to who has logged in as a user that may GET it',
  },
  'cluster-secret': {
    type: 'string',
    default: '',
    lengthMax: 1024,
    mutable: true,
    hidden: true,
    summary:
      'what members prove to one another before they speak, 16 characters or more; the same on all nodes',
  },
  'cluster-secret-previous': {
    type: 'string',
    default: '',
    lengthMax: 1024,
    mutable: true,
    hidden: true,
    summary: 'the secret before: it counts as well, while one node after the other gets a new one',
  },
  ...TLS_OPTIONS,
  'cluster-insecure': {
    type: 'choice',
    default: 'no',
    choices: ['no', 'yes'],
    summary: 'yes lets the bus listen elsewhere than on loopback without cluster-secret and TLS',
  },
  'cluster-announce-ip': {
    type: 'string',
    default: '',
    lengthMax: HOST_LENGTH_MAX,
    summary: 'address by which the other nodes reach this one; empty means the bind address',
  },
  join: {
    type: 'addresses',
    default: [],
    summary: 'bus address of another node, host:port; repeatable, all records of a name are tried',
  },
  expect: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 1000,
    summary: 'form the first view only when this many nodes hear each other; 0 does not wait',
  },
  'cluster-config-file': {
    type: 'string',
    default: '',
    summary:
      'file that keeps the addresses of members seen, joined at the next start; empty for none',
  },
  'snapshot-file': {
    type: 'string',
    default: '',
    summary:
      'file that keeps the keys while the whole cluster is stopped in good order; empty for none',
  },
  'snapshot-timeout': {
    type: 'integer',
    default: 60,
    min: 1,
    max: 86_400,
    summary: 'seconds that a node waits for the other parts of a snapshot before it is set aside',
  },
  zone: {
    type: 'string',
    default: '',
    lengthMax: ZONE_LENGTH_MAX,
    summary: 'failure domain of this node; the two copies of a key are kept in two zones',
  },
  'node-timeout': {
    type: 'integer',
    default: 2000,
    min: 200,
    max: 600_000,
    unit: 'ms',
    summary: 'silence after which a member is left out; the same on all nodes',
  },
  'min-backups-to-write': {
    type: 'integer',
    default: 0,
    min: 0,
    max: 1,
    mutable: true,
    summary: '1 refuses writes with -NOREPLICAS while this node is the only member',
  },
  'partition-policy': {
    type: 'choice',
    default: 'available',
    choices: ['available', 'majority'],
    summary: 'what serves while the cluster is cut in two: both sides, or the larger one',
  },
  'location-list': {
    type: 'choice',
    default: 'anchor',
    choices: ['anchor', 'all'],
    summary: "who is told where a key's two copies are: its anchor, or every member",
  },
  'take-over-after': {
    type: 'integer',
    default: 3,
    min: 0,
    max: 1_000_000,
    mutable: true,
    summary:
      'commands in a row through another node after which it becomes the primary; 0 for never',
  },
  'tombstone-ttl': {
    type: 'integer',
    default: 3_600_000,
    min: 1000,
    max: INT_MAX,
    unit: 'ms',
    summary: 'how long deletes are remembered for members that are missing',
  },
  'leave-timeout': {
    type: 'integer',
    default: 30,
    min: 0,
    max: 86_400,
    unit: 's',
    mutable: true,
    summary: 'how long a leaving node waits for others to take its keys',
  },
  requirepass: {
    type: 'string',
    default: '',
    mutable: true,
    summary: 'password that clients must give; empty for none',
  },
  aclfile: {
    type: 'string',
    default: '',
    summary:
      'file of the users (ACL LOAD, ACL SAVE), one "user NAME RULES" to a line; empty for none',
  },
  user: {
    type: 'lines',
    default: [],
    hidden: true,
    summary:
      'a user, "NAME RULES", where there is no aclfile; repeatable, CONFIG REWRITE writes them',
  },
  'acllog-max-len': {
    type: 'integer',
    default: 128,
    min: 0,
    max: 10_000,
    mutable: true,
    summary: 'refusals that ACL LOG keeps',
  },
  'acl-pubsub-default': {
    type: 'choice',
    default: 'resetchannels',
    choices: ['resetchannels', 'allchannels'],
    mutable: true,
    summary: 'channels of new users: none, or all',
  },
  'protected-mode': {
    type: 'choice',
    default: 'yes',
    choices: ['yes', 'no'],
    mutable: true,
    summary:
      'yes refuses clients from elsewhere than loopback while the default user needs no password',
  },
  maxmemory: {
    type: 'bytes',
    default: 0,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    mutable: true,
    summary: 'memory for keys and values; 0 for no limit',
  },
  'maxmemory-policy': {
    type: 'choice',
    default: 'noeviction',
    choices: [
      'volatile-lru',
      'volatile-lfu',
      'volatile-random',
      'volatile-ttl',
      'allkeys-lru',
      'allkeys-lfu',
      'allkeys-random',
      'noeviction',
    ],
    mutable: true,
    summary: 'what goes when memory is full',
  },
  'maxmemory-samples': {
    type: 'integer',
    default: 5,
    min: 1,
    max: 64,
    unit: 'keys',
    mutable: true,
    summary: 'keys compared for each eviction',
  },
  'lfu-log-factor': {
    type: 'integer',
    default: 10,
    min: 0,
    max: 2 ** 31 - 1,
    mutable: true,
    summary: 'the larger, the more uses it takes to count one more (allkeys-lfu, volatile-lfu)',
  },
  'lfu-decay-time': {
    type: 'integer',
    default: 1,
    min: 0,
    max: 2 ** 31 - 1,
    mutable: true,
    summary: 'minutes without a use that cost one; 0 for none',
  },
  maxclients: {
    type: 'integer',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    mutable: true,
    summary: 'client connections at the same time',
  },
  timeout: {
    type: 'integer',
    default: 0,
    min: 0,
    max: INT_MAX,
    unit: 's',
    mutable: true,
    summary: 'idle time after which a client is closed; 0 for never',
  },
  'tcp-keepalive': {
    type: 'integer',
    default: 300,
    min: 0,
    max: INT_MAX,
    unit: 's',
    mutable: true,
    summary: 'silence after which client connections are probed; 0 for never',
  },
  'tcp-backlog': {
    type: 'integer',
    default: 511,
    min: 1,
    max: 65535,
    summary: 'connections that wait to be accepted',
  },
  databases: {
    type: 'integer',
    default: 16,
    min: 1,
    max: 256,
    summary: 'databases that SELECT reaches; the same on all nodes',
  },
  'client-output-buffer-limit': {
    type: 'output-limits',
    default: {
      normal: { hardBytes: 2 * GIB, softBytes: 64 * MIB, softSeconds: 60 },
      replica: { hardBytes: 256 * MIB, softBytes: 64 * MIB, softSeconds: 60 },
      pubsub: { hardBytes: 32 * MIB, softBytes: 8 * MIB, softSeconds: 60 },
    },
    mutable: true,
    summary: 'class, hard limit, soft limit, seconds: waiting output at which a client is closed',
  },
  'client-query-buffer-limit': {
    type: 'bytes',
    default: GIB,
    min: MIB,
    max: BULK_MAX,
    mutable: true,
    summary: 'bytes of one incomplete request',
  },
  'proto-max-bulk-len': {
    type: 'bytes',
    default: 512 * MIB,
    min: MIB,
    max: BULK_MAX,
    mutable: true,
    summary: 'bytes of one argument',
  },
  'hash-max-listpack-entries': {
    type: 'integer',
    alias: 'hash-max-ziplist-entries',
    default: 512,
    min: 0,
    max: INT_MAX,
    mutable: true,
    summary: 'fields up to which OBJECT ENCODING of a hash is "listpack"',
  },
  'hash-max-listpack-value': {
    type: 'integer',
    alias: 'hash-max-ziplist-value',
    default: 64,
    min: 0,
    max: INT_MAX,
    mutable: true,
    summary: 'bytes of a field or its value up to which that is so',
  },
  'set-max-intset-entries': {
    type: 'integer',
    default: 512,
    min: 0,
    max: INT_MAX,
    mutable: true,
    summary: 'integers up to which OBJECT ENCODING of a set is "intset"',
  },
  'zset-max-listpack-entries': {
    type: 'integer',
    alias: 'zset-max-ziplist-entries',
    default: 128,
    min: 0,
    max: INT_MAX,
    mutable: true,
    summary: 'members up to which OBJECT ENCODING of a sorted set is "listpack"',
  },
  'zset-max-listpack-value': {
    type: 'integer',
    alias: 'zset-max-ziplist-value',
    default: 64,
    min: 0,
    max: INT_MAX,
    mutable: true,
    summary: 'bytes of a member up to which that is so',
  },
  'list-max-listpack-size': {
    type: 'integer',
    alias: 'list-max-ziplist-size',
    default: -2,
    min: -INT_MAX,
    max: INT_MAX,
    mutable: true,
    summary: 'kept for clients that ask: lists are packed whole, whatever it says',
  },
  'list-compress-depth': {
    type: 'integer',
    default: 0,
    min: 0,
    max: INT_MAX,
    mutable: true,
    summary: 'kept for clients that ask: lists are not compressed, whatever it says',
  },
  'lazyfree-lazy-eviction': LAZY_FREE,
  'lazyfree-lazy-expire': LAZY_FREE,
  'lazyfree-lazy-server-del': LAZY_FREE,
  'lazyfree-lazy-user-del': LAZY_FREE,
  'lazyfree-lazy-user-flush': LAZY_FREE,
  'busy-reply-threshold': {
    type: 'integer',
    alias: 'lua-time-limit',
    default: 5000,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    unit: 'ms',
    mutable: true,
    summary:
      'kept for clients that ask: a script holds up nobody, so nobody is answered BUSY, and SCRIPT KILL ends it at any time',
  },
  'script-time-limit': {
    type: 'integer',
    default: 60_000,
    min: 0,
    max: INT_MAX,
    unit: 'ms',
    mutable: true,
    summary: 'time after which a script is ended, whatever it has written; 0 for never',
  },
  'tracking-table-max-keys': {
    type: 'integer',
    default: 1_000_000,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    unit: 'keys',
    mutable: true,
    summary: 'keys that clients which track have read, as far as remembered; 0 for any number',
  },
  'slowlog-log-slower-than': {
    type: 'integer',
    default: 10_000,
    min: -1,
    max: Number.MAX_SAFE_INTEGER,
    mutable: true,
    summary: 'microseconds from which on SLOWLOG keeps a command; -1 keeps none',
  },
  'slowlog-max-len': {
    type: 'integer',
    default: 128,
    min: 0,
    max: 100_000,
    mutable: true,
    summary: 'commands that SLOWLOG keeps',
  },
  'latency-monitor-threshold': {
    type: 'integer',
    default: 0,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    mutable: true,
    summary: 'milliseconds from which on LATENCY keeps what a command took; 0 keeps none',
  },
  'warm-up': {
    type: 'integer',
    default: 8_000,
    min: 0,
    max: 1_000_000,
    unit: 'commands',
    summary:
      'commands that a server runs by itself before it opens its ports, so that the first clients find compiled code; 0: none',
  },
  loglevel: {
    type: 'choice',
    default: 'notice',
    choices: ['debug', 'verbose', 'notice', 'warning', 'nothing'],
    mutable: true,
    summary: 'how much is logged',
  },
  'log-format': {
    type: 'choice',
    default: 'auto',
    choices: ['auto', 'text', 'json'],
    summary: 'a line of text or of JSON per event; auto is text on a terminal, else JSON',
  },
  save: { type: 'string', default: '', fixed: true, summary: 'no snapshots on a schedule' },
  appendonly: { type: 'string', default: 'no', fixed: true, summary: 'no append-only file' },
  'replica-read-only': {
    type: 'string',
    default: 'yes',
    fixed: true,
    summary: 'asked for by some clients',
  },
  'slave-read-only': {
    type: 'string',
    default: 'yes',
    fixed: true,
    summary: 'asked for by some clients',
  },
  'hll-sparse-max-bytes': {
    type: 'integer',
    default: 3000,
    min: 3000,
    max: 3000,
    fixed: true,
    summary: 'where a HyperLogLog ceases to be sparse',
  },
  'min-replicas-to-write': {
    type: 'string',
    alias: 'min-slaves-to-write',
    default: '0',
    fixed: true,
    summary: 'there are no replicas; see min-backups-to-write',
  },
  'maxmemory-clients': {
    type: 'string',
    default: '0',
    fixed: true,
    summary: 'clients are not evicted',
  },
  'latency-tracking': { type: 'string', default: 'no', fixed: true, summary: 'no latencystats' },
  activedefrag: { type: 'string', default: 'no', fixed: true, summary: 'nothing fragments' },
  'oom-score-adj': { type: 'string', default: 'no', fixed: true, summary: 'not touched' },
  daemonize: { type: 'string', default: 'no', fixed: true, summary: 'stays in the foreground' },
  'cluster-enabled': {
    type: 'string',
    default: 'no',
    fixed: true,
    summary: 'as INFO says: any node serves any key, with no slots to ask for',
  },
  'notify-keyspace-events': {
    type: 'event-classes',
    default: '',
    mutable: true,
    shared: true,
    summary: 'keyspace events that are published; CONFIG SET on one node holds on all',
  },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof OPTIONS;

type ValueOf<Facts> = Facts extends { type: 'integer' | 'bytes' }
  ? number
  : Facts extends { type: 'choice'; choices: readonly (infer Choice)[] }
    ? Choice
    : Facts extends { type: 'addresses' | 'lines' }
      ? readonly string[]
      : Facts extends { type: 'output-limits' }
        ? OutputLimits
        : string;

/** The type of an option's value: numbers in the option's unit, bytes as a number. */
export type OptionValue<Name extends OptionName> = ValueOf<(typeof OPTIONS)[Name]>;

export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

export function optionFacts(name: OptionName): Option {
  return OPTIONS[name];
}

export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

/** Options by their other names. */
export const OPTION_ALIASES: ReadonlyMap<string, OptionName> = new Map(
  OPTION_NAMES.flatMap((name) => {
    const { alias } = optionFacts(name);
    return alias === undefined ? [] : [[alias, name] as const];
  }),
);

/** The option of this name, or of this other name; undefined for none. Lower case. */
export function optionNamed(name: string): OptionName | undefined {
  return isOptionName(name) ? name : OPTION_ALIASES.get(name);
}
