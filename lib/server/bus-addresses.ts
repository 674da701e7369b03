import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Config } from '../base/config.js';
import type { Address } from '../cluster/member.js';

/** The address that others reach this node by: what was set, else the address bound, else one of an interface. */
export function announcedHost(config: Config): string {
  const set = config.get('cluster-announce-ip');
  if (set !== '') return set;
  const bound = config.get('bind');
  if (bound !== '0.0.0.0' && bound !== '::' && bound !== '*') return bound;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = addresses.filter(({ internal }) => !internal);
  const found = outside.find(({ family }) => family === 'IPv4') ?? outside[0];
  return found?.address ?? '127.0.0.1';
}

/** "host:port" of a bus. */
export function showBusAddress({ host, busPort }: Address): string {
  return isIPv6(host) ? `[${host}]:${busPort}` : `${host}:${busPort}`;
}
