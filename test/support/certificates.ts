import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** They are no part of the build: seen from there. */
const DIRECTORY = new URL('../../../test/support/certificates/', import.meta.url);

/** Path of one of the files that certificates/make.sh has made. */
export const certificatePath = (name: string): string => fileURLToPath(new URL(name, DIRECTORY));

/** Options of a node that has this certificate. */
export function nodeTls(name = 'node'): string[] {
  return [
    ['--tls-cert-file', certificatePath(`${name}.crt`)],
    ['--tls-key-file', certificatePath(`${name}.key`)],
    ['--tls-ca-cert-file', certificatePath('ca.crt')],
  ].flat();
}

/** What a client connects with; null for a client without a certificate. */
export function clientTls(name: string | null = 'client'): {
  ca: Buffer;
  cert?: Buffer;
  key?: Buffer;
} {
  const read = (file: string): Buffer => readFileSync(certificatePath(file));
  const ca = read('ca.crt');
  return name === null ? { ca } : { ca, cert: read(`${name}.crt`), key: read(`${name}.key`) };
}
