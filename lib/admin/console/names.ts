import { createHash, randomBytes } from 'node:crypto';
import type { Member } from '../../cluster/member.js';

/** A masked key shows at most so much of what comes before its last colon. */
const PREFIX_CHARACTERS_MAX = 24;
const SALT = randomBytes(16);

/** The address that clients reach a member by. */
export function addressOf({ host, port }: Member): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * A key as it is shown to who is not logged in: "sess:…3fa9". The name of a session's key is, or tells, what its user is
 * known by; the digits tell keys apart for as long as this process lives, and nothing else.
 */
export function maskKey(key: string): string {
  if (key === '') return '';
  const colon = key.lastIndexOf(':', PREFIX_CHARACTERS_MAX - 1);
  const digits = createHash('sha256').update(SALT).update(key).digest('hex').slice(0, 4);
  return `${key.slice(0, colon + 1)}…${digits}`;
}
