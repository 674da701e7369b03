import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';

/** Bytes of the body of a request. */
const BODY_BYTES_MAX = 64 * 1024;
const COOKIE = 'tandis-console';

/** What every answer of the console carries. The page brings all it needs itself. */
export const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
} as const;

export interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export function send(response: ServerResponse, method: string | undefined, answer: Answer): void {
  const { status, type = 'text/plain; charset=utf-8', body, headers = {} } = answer;
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(method === 'HEAD' ? undefined : body);
}

export const text = (
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({ status, body: `${body}\n`, headers });

export const json = (
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({ status, type: 'application/json', body: JSON.stringify(body), headers });

/** "[::1]:9121" is "::1". */
function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](:\d+)?$/.exec(host);
  return bracketed?.[1] ?? host.replace(/:\d+$/, '');
}

/**
 * Whether the page may be shown under this Host. A page from elsewhere whose name was made to lead here (DNS rebinding)
 * carries that name: an address, localhost and the names that were set are the only ones.
 */
export function isOwnHost(host: string | undefined, names: readonly string[]): boolean {
  if (host === undefined) return false;
  const name = hostName(host).toLowerCase();
  return isIP(name) !== 0 || name === 'localhost' || names.includes(name);
}

/** Whether a request that changes or asks something comes from the page itself. */
export function isFromPage({ headers }: IncomingMessage): boolean {
  const { origin, host } = headers;
  if (origin !== `http://${host}` && origin !== `https://${host}`) return false;
  return headers['content-type'] === 'application/json';
}

/** The JSON object of a request; null where it is none, or too long. */
export async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown> | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
    return isObject ? (body as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The token of the login that a request carries; null for none. */
export function tokenOf({ headers }: IncomingMessage): string | null {
  for (const pair of (headers.cookie ?? '').split(';')) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === COOKIE && value !== undefined && value !== '') return value;
  }
  return null;
}

/** Null takes the cookie away. */
export function tokenCookie(token: string | null): string {
  const life = token === null ? '; Max-Age=0' : '';
  return `${COOKIE}=${token ?? ''}; Path=/console; HttpOnly; SameSite=Strict${life}`;
}
