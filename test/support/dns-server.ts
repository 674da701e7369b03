import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import type { Test } from 'tap';

/** https://www.rfc-editor.org/rfc/rfc1035: a header of 12 bytes, the question, then the records. */
const HEADER_BYTES = 12;
const TYPE_AND_CLASS_BYTES = 4;
const ANSWER_NO_ERROR = 0x8580;
const ANSWER_NO_NAME = 0x8583;
const TYPE_A = 1;
/** The name of the question; A, IN; to be used for 0 s; 4 bytes follow. */
const RECORD_HEAD = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4]);

/** A name server for one name, whose addresses the test changes. */
export class DnsServer {
  readonly address: string;
  addresses: readonly string[] = [];

  static async start(t: Test, name: string): Promise<DnsServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    t.teardown(() => socket.close());
    const server = new DnsServer(`127.0.0.1:${socket.address().port}`);
    socket.on('message', (query: Buffer, from: RemoteInfo) =>
      socket.send(server.#answer(query, name), from.port, from.address),
    );
    return server;
  }

  private constructor(address: string) {
    this.address = address;
  }

  #answer(query: Buffer, name: string): Buffer {
    const labels: string[] = [];
    let at = HEADER_BYTES;
    for (let length = query[at]!; length > 0; length = query[at]!) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const isIt = labels.join('.').toLowerCase() === name && query.readUInt16BE(at + 1) === TYPE_A;
    const records = isIt ? this.addresses : [];
    const head = Buffer.alloc(HEADER_BYTES);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(records.length > 0 ? ANSWER_NO_ERROR : ANSWER_NO_NAME, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    const question = query.subarray(HEADER_BYTES, at + 1 + TYPE_AND_CLASS_BYTES);
    const answers = records.flatMap((one) => [
      RECORD_HEAD,
      Buffer.from(one.split('.').map(Number)),
    ]);
    return Buffer.concat([head, question, ...answers]);
  }
}
