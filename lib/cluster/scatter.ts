import { Request } from '../protocol/request.js';
import { KeyMode, type Operation, type ReplySink } from './operation.js';

const MINUS = 45;

/**
 * One operation per key of a command that means the same key by key (MGET, DEL, EXISTS, UNLINK, TOUCH); `route` is called
 * with each, and the reply is put together when all have come. The first error is the reply of the whole.
 */
export function scatter(operation: Operation, route: (part: Operation) => void): void {
  const { request, keys } = operation;
  const parts: (Buffer | null)[] = keys.map(() => null);
  let missing = keys.length;
  const sink: ReplySink = {
    acknowledged() {},
    complete(index, reply) {
      if (parts[index] !== null) return;
      parts[index] = reply;
      if (--missing > 0) return;
      operation.sink.complete(operation.token, merge(operation, parts as Buffer[]));
    },
    fail(index, error) {
      sink.complete(index, Buffer.from(`-${error}\r\n`, 'latin1'));
    },
  };
  const name = request.bytes(0);
  keys.forEach((key, index) => {
    route({
      request: Request.of(name, request.bytes(key)),
      traits: { ...operation.traits, keyMode: KeyMode.Single },
      keys: [1],
      db: operation.db,
      proto: operation.proto,
      sink,
      token: index,
    });
  });
}

function merge(operation: Operation, parts: readonly Buffer[]): Buffer {
  const error = parts.find((part) => part[0] === MINUS);
  if (error !== undefined) return error;
  if (operation.traits.keyMode === KeyMode.ScatterArray) {
    // Each part is an array of one: "*1", line end, the element.
    const elements = parts.map((part) => part.subarray(4));
    return Buffer.concat([Buffer.from(`*${parts.length}\r\n`, 'latin1'), ...elements]);
  }
  let sum = 0;
  for (const part of parts) sum += Number(part.latin1Slice(1, part.length - 2));
  return Buffer.from(`:${sum}\r\n`, 'latin1');
}
