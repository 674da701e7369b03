import { type Command, InvalidArgumentError } from 'commander';
import type { Access } from './asking.js';
import { addTlsFlags, connectionTls, type TlsFlags } from './tls-client.js';

export function integer(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return Number(text);
}

/** Options of a command that asks one node. */
export function addNodeOptions(command: Command): Command {
  return addTlsFlags(command)
    .helpOption('--help', 'show help')
    .option('-p, --port <port>', 'client port of the node', integer, 7001)
    .option('-h, --host <host>', 'its host', '127.0.0.1')
    .option('--user <name>', 'user whose password it is, where that is not the default user', '')
    .option('-a, --password <password>', 'password (REDISCLI_AUTH is read too)');
}

export function accessOf(
  options: TlsFlags & { readonly user: string; readonly password?: string },
): Access {
  const password = options.password ?? process.env['REDISCLI_AUTH'] ?? '';
  return { user: options.user, password, tls: connectionTls(options) };
}
