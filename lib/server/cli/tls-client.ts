import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Command } from 'commander';
import { OptionError } from '../../base/option-values.js';

/** What a command line that connects to nodes says of TLS, in the words of redis-cli. */
export interface TlsFlags {
  readonly tls: boolean;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
}

export function addTlsFlags(command: Command): Command {
  return command
    .option('--tls', 'by TLS', false)
    .option('--cacert <file>', 'CA certificates that nodes are judged by')
    .option('--cert <file>', 'certificate to show')
    .option('--key <file>', 'its private key');
}

/** Undefined where no TLS is spoken. Throws OptionError. */
export function connectionTls(flags: TlsFlags): ConnectionOptions | undefined {
  const files = (['cacert', 'cert', 'key'] as const).map((name) => {
    const path = flags[name];
    if (path === undefined) return undefined;
    if (!flags.tls) throw new OptionError(`--${name} is of no use without --tls`);
    try {
      return readFileSync(path);
    } catch (error) {
      throw new OptionError(`--${name}: ${(error as Error).message}`);
    }
  });
  if (!flags.tls) return undefined;
  const [ca, cert, key] = files;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    // Judged by the CA alone, as redis-cli does: nodes are asked by the addresses that members give.
    checkServerIdentity: () => undefined,
  };
}

/** Options of a node whose only client port speaks TLS, with the certificate of these flags. */
export function serverTls(flags: TlsFlags, port: number): string[] {
  if (!flags.tls) return ['--port', String(port)];
  const files = [
    ['--tls-ca-cert-file', flags.cacert],
    ['--tls-cert-file', flags.cert],
    ['--tls-key-file', flags.key],
  ];
  const given = files.filter(([, path]) => path !== undefined) as [string, string][];
  return ['--port', '0', '--tls-port', String(port), ...given.flat()];
}

/** What redis-cli is told to speak the same; with a space before it. */
export function redisCliTls({ tls, cacert, cert, key }: TlsFlags): string {
  const named = Object.entries({ cacert, cert, key }).filter(([, path]) => path !== undefined);
  return tls ? [' --tls', ...named.map(([name, path]) => `--${name} ${path}`)].join(' ') : '';
}
