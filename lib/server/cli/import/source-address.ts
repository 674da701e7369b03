import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { OptionError } from '../../../base/option-values.js';

/** Where the password of the source is read from when its URL has none; a URL is shown by `ps`. */
export const PASSWORD_VARIABLE = 'TANDIS_IMPORT_AUTH';

const PORT = 6379;

/** How a server is connected to, and which of its databases is used. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: ConnectionOptions;
}

/** The Redis that keys come from. Never shown as a whole: it has the password. */
export interface SourceAddress {
  /** "host:port", for people. */
  readonly shown: string;
  readonly address: ServerAddress;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new OptionError('the user or password in the URL is not percent-encoded as it should be');
  }
}

/**
 * Reads redis://[user:password@]host[:port][/db], or rediss:// for TLS, which judges the certificate by `cacert` where
 * that is a file, else by what Node trusts. Throws OptionError, whose message has no part of the URL's password.
 */
export function readSource(url: string, cacert: string | undefined): SourceAddress {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const scheme = parsed?.protocol;
  if (parsed === null || (scheme !== 'redis:' && scheme !== 'rediss:') || parsed.hostname === '') {
    throw new OptionError('give the source as redis://HOST:PORT/DB, or rediss:// for TLS');
  }
  const path = /^\/?(\d{0,5})$/.exec(parsed.pathname);
  if (path === null) throw new OptionError('the path of the URL must be the number of a database');
  if (cacert !== undefined && scheme !== 'rediss:') {
    throw new OptionError('--source-cacert is of no use without rediss://');
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = parsed.port === '' ? PORT : Number(parsed.port);
  const password = decoded(parsed.password) || (process.env[PASSWORD_VARIABLE] ?? '');
  const username = decoded(parsed.username);
  const db = Number(path[1]);
  return {
    shown: `${parsed.hostname}:${port}`,
    address: {
      host,
      port,
      db,
      ...(password === '' ? {} : { password }),
      ...(username === '' ? {} : { username }),
      ...(scheme === 'rediss:' ? { tls: tlsOf(host, cacert) } : {}),
    },
  };
}

function tlsOf(host: string, cacert: string | undefined): ConnectionOptions {
  const servername = /[a-z]/i.test(host) && !host.includes(':') ? { servername: host } : {};
  if (cacert === undefined) return servername;
  try {
    return { ...servername, ca: readFileSync(cacert) };
  } catch (error) {
    throw new OptionError(`--source-cacert: ${(error as Error).message}`);
  }
}
