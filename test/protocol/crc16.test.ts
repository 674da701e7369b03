import fc from 'fast-check';
import t from 'tap';
import { crc16, keySlot } from '../../lib/protocol/crc16.js';

const slotOf = (key: string) => {
  const buffer = Buffer.from(`<<{${key}}>`, 'latin1');
  return keySlot(buffer, 3, buffer.length - 2);
};

/** The definition, bit by bit. */
function crc16ByBit(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = (crc & 0x8000) === 0 ? (crc << 1) & 0xffff : ((crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc;
}

t.test('crc16 of any range is what the definition gives', async (t) => {
  t.equal(crc16(Buffer.from('123456789'), 0, 9), 0x31c3, 'check value of XMODEM');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(9), (bytes, start) => {
      const from = Math.min(start, bytes.length);
      return crc16(bytes, from, bytes.length) === crc16ByBit(bytes.subarray(from));
    }),
  );
});

t.test('slots as CLUSTER KEYSLOT of Redis gives them', async (t) => {
  for (const [key, slot] of [
    ['', 0],
    ['foo', 12182],
    ['somekey', 11058],
    ['foo{hash_tag}', 2515],
    ['bar{hash_tag}', 2515],
    ['hash_tag', 2515],
  ] as const)
    t.equal(slotOf(key), slot, key);
});

t.test('the hash tag is the first that is closed and not empty', async (t) => {
  const whole = (key: string) => crc16ByBit(Buffer.from(key)) % 16384;
  t.equal(slotOf('a{bc}d'), whole('bc'));
  t.equal(slotOf('{bc}'), whole('bc'));
  t.equal(slotOf('a{b{c}d}'), whole('b{c'));
  t.equal(slotOf('a{b}c{d}'), whole('b'));
  t.equal(slotOf('a{}b{c}'), whole('a{}b{c}'), 'an empty first tag counts for all');
  t.equal(slotOf('a{bc'), whole('a{bc'));
  t.equal(slotOf('a}b{'), whole('a}b{'));
});

t.test('tags at every place and length', async () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', 'b', '{', '}'), maxLength: 24 }), (key) => {
      const tag = /^[^{]*\{([^}]+)\}/.exec(key)?.[1] ?? key;
      return slotOf(key) === crc16ByBit(Buffer.from(tag)) % 16384;
    }),
    { numRuns: 2000 },
  );
});
