import { EventClass } from '../../base/event-classes.js';
import type { CommandEvents } from '../../cluster/keyspace-events.js';

/** Classes by group of commands. */
const CLASSES: Readonly<Record<string, number>> = {
  generic: EventClass.Generic,
  string: EventClass.String,
  bitmap: EventClass.String,
  hyperloglog: EventClass.String,
  list: EventClass.List,
  set: EventClass.Set,
  hash: EventClass.Hash,
  'sorted-set': EventClass.SortedSet,
  geo: EventClass.SortedSet,
};

/** What changes are called that do not have the name of their command. */
const NAMES: Readonly<Record<string, string>> = {
  setex: 'set',
  psetex: 'set',
  setnx: 'set',
  getset: 'set',
  mset: 'set',
  msetnx: 'set',
  bitop: 'set',
  bitfield: 'setbit',
  incr: 'incrby',
  decr: 'incrby',
  decrby: 'incrby',
  pfmerge: 'pfadd',
  hmset: 'hset',
  hsetnx: 'hset',
  lpushx: 'lpush',
  rpushx: 'rpush',
  blpop: 'lpop',
  brpop: 'rpop',
  zincrby: 'zincr',
  bzpopmin: 'zpopmin',
  bzpopmax: 'zpopmax',
  geoadd: 'zadd',
  georadius: 'georadiusstore',
  georadiusbymember: 'georadiusstore',
  sort: 'sortstore',
  copy: 'copy_to',
};

/** Expiries that these set are told of by an event of their own. */
const TIMED = ['set', 'setex', 'psetex'];
/** These delete a key that they replace. */
const REPLACING = ['copy', 'restore'];
const COLLECTIONS = ['list', 'set', 'hash', 'sorted-set'];

/** What the changes of a command are called; null for one that changes no keys. */
export function eventsOf(command: string, group: string): CommandEvents | null {
  const name = NAMES[command] ?? command;
  const eventClass = name === 'sortstore' ? EventClass.List : CLASSES[group];
  if (eventClass === undefined) return null;
  return {
    eventClass,
    name,
    tellsExpiry: TIMED.includes(command),
    makesAnew: REPLACING.includes(command),
    tellsRemoval: COLLECTIONS.includes(group) && !name.endsWith('store'),
  };
}
