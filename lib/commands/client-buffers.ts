import type { ClientSession } from './client-session.js';

/** Bytes that clients have sent and that are no command yet, and bytes of replies that they have not taken. */
export interface ClientBuffers {
  readonly query: number;
  readonly output: number;
  /** Of the client that has most of it. */
  readonly largestQuery: number;
  readonly largestOutput: number;
}

export function clientBuffers(clients: Iterable<ClientSession>): ClientBuffers {
  let query = 0;
  let output = 0;
  let largestQuery = 0;
  let largestOutput = 0;
  for (const { queryBufferBytes, outputBytes } of clients) {
    query += queryBufferBytes;
    output += outputBytes;
    largestQuery = Math.max(largestQuery, queryBufferBytes);
    largestOutput = Math.max(largestOutput, outputBytes);
  }
  return { query, output, largestQuery, largestOutput };
}
