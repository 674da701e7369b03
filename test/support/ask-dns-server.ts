import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';

/** For `node --import`: names are asked of the server in TEST_DNS_SERVER, and not of the system. */

const resolver = new dns.Resolver();
resolver.setServers([process.env['TEST_DNS_SERVER']!]);
const lookup = async (host: string): Promise<{ address: string; family: number }[]> =>
  (await resolver.resolve4(host)).map((address) => ({ address, family: 4 }));
Object.assign(dns, { lookup });
syncBuiltinESMExports();
