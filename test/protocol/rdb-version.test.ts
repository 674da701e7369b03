import t from 'tap';
import { putCrc64 } from '../../lib/protocol/crc64.js';
import { isPayload } from '../../lib/protocol/rdb-reader.js';
import { withReadableVersion } from '../../lib/protocol/rdb-version.js';
import { FOOTER_BYTES, RdbType, RdbWriter } from '../../lib/protocol/rdb-writer.js';

function payloadOf(text: string, version?: number): Buffer {
  const writer = new RdbWriter();
  writer.begin(RdbType.String, 0);
  writer.string(Buffer.from(text), 0, text.length);
  const payload = Buffer.from(writer.end());
  if (version === undefined) return payload;
  const end = payload.length - FOOTER_BYTES;
  payload.writeUInt16LE(version, end);
  putCrc64(payload, 0, end + 2, payload, end + 2);
  return payload;
}

t.test('payloads of a newer Redis are read as those of the known version', (t) => {
  const newer = payloadOf('value', 12);
  t.notOk(isPayload(newer));
  t.strictSame(withReadableVersion(newer), payloadOf('value'));
  t.equal(newer.readUInt16LE(newer.length - FOOTER_BYTES), 12, 'what was given stays');
  const own = payloadOf('value');
  t.equal(withReadableVersion(own), own);
  const older = payloadOf('value', 6);
  t.equal(withReadableVersion(older), older);
  t.end();
});

t.test('bytes that are no payload are not made into one', (t) => {
  const broken = payloadOf('value', 12);
  broken[2]! ^= 1;
  t.notOk(isPayload(withReadableVersion(broken)));
  for (let length = 0; length < broken.length; length++) {
    t.notOk(isPayload(withReadableVersion(broken.subarray(0, length))));
  }
  t.end();
});
