import { type HostFunction, type Lua, LuaType } from '../lua.js';

const MULTIPLIER = 0x5deece66dn;
const INCREMENT = 0xbn;
const BITS_48 = (1n << 48n) - 1n;
const SEED_LOW = 0x330en;
const RANDOM_MAX = 2 ** 31 - 1;

const stateOf = (seed: number): bigint => (BigInt.asUintN(32, BigInt(seed)) << 16n) + SEED_LOW;

/** The state of a generator that was never seeded. */
const UNSEEDED = 0x1234abcd330en;

/** math.random as in Redis: it goes on from script to script, and the same numbers follow one seed everywhere. */
export class LuaRandom {
  #state = UNSEEDED;

  #draw(): number {
    this.#state = (this.#state * MULTIPLIER + INCREMENT) & BITS_48;
    return (Number(this.#state >> 17n) % RANDOM_MAX) / RANDOM_MAX;
  }

  readonly functions: Readonly<Record<string, HostFunction>> = {
    random: (lua) => this.#random(lua),
    randomseed: (lua) => {
      const seed = lua.checkNumber(1);
      this.#state = stateOf(Number.isFinite(seed) ? Math.trunc(seed) : 0);
      return 0;
    },
  };

  #random(lua: Lua): number {
    const drawn = this.#draw();
    const integer = (index: number): number => {
      const value = lua.type(index) === LuaType.Number ? lua.number(index) : lua.checkNumber(index);
      return Math.trunc(value);
    };
    if (lua.top > 2) lua.fail('wrong number of arguments');
    if (lua.top === 0) {
      lua.pushNumber(drawn);
      return 1;
    }
    const low = lua.top === 1 ? 1 : integer(1);
    const high = integer(lua.top);
    if (low > high) lua.badArgument(lua.top, 'interval is empty');
    lua.pushNumber(Math.floor(drawn * (high - low + 1)) + low);
    return 1;
  }
}
