import t from 'tap';
import { LargePayloads } from '../../lib/store/large-payloads.js';

t.test('numbers of allocations are used again, memory is counted', async (t) => {
  const payloads = new LargePayloads();
  const kept = payloads.allocate(10, Buffer.allocUnsafeSlow(90));
  const numbers = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    const number = payloads.allocate(20, Buffer.allocUnsafeSlow(30));
    numbers.add(number);
    t.equal(payloads.bytes, 150);
    payloads.free(number);
  }
  t.equal(numbers.size, 1, 'the table does not grow with use');
  t.equal(payloads.bytes, 100);
  payloads.values[kept]!.buffer.fill(7);
  payloads.resize(kept, 290);
  const { buffer, start, length } = payloads.values[kept]!;
  t.equal(payloads.bytes, 300, 'room that is not used takes no memory');
  t.equal(length, 290);
  t.ok(buffer.subarray(start, start + 90).equals(Buffer.alloc(90, 7)));
});
