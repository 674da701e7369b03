import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  createSecureContext,
  DEFAULT_CIPHERS,
  type SecureContext,
  type SecureContextOptions,
  type SecureVersion,
} from 'node:tls';
import type { Config, Settings } from '../base/config.js';
import { TLS_FILE_BYTES } from '../base/limits.js';
import type { Logger } from '../base/logger.js';
import { OptionError } from '../base/option-values.js';
import type { OptionName } from '../base/options.js';
import type { Statistics } from '../commands/statistics.js';

/** What TLS is spoken with. */
export interface TlsMaterial {
  /** For a server. */
  readonly options: SecureContextOptions;
  /** The same for connections that are dialled. */
  readonly context: SecureContext;
  readonly certificate: X509Certificate;
  readonly authClients: 'yes' | 'no' | 'optional';
}

/** What is read anew when one of them is set, also to what it is: the files may have changed. */
const NAMES = [
  'tls-cert-file',
  'tls-key-file',
  'tls-key-file-pass',
  'tls-ca-cert-file',
  'tls-auth-clients',
  'tls-protocols',
  'tls-ciphers',
  'tls-ciphersuites',
  'tls-prefer-server-ciphers',
] as const satisfies OptionName[];

type FileOption = 'tls-cert-file' | 'tls-key-file' | 'tls-ca-cert-file';

/** Runs `attempt`; what it throws becomes an OptionError that begins so. */
function explained<Result>(beginning: string, attempt: () => Result): Result {
  try {
    return attempt();
  } catch (error) {
    throw new OptionError(`${beginning}: ${(error as Error).message}`);
  }
}

function contentOf(config: Settings, name: FileOption): Buffer {
  const path = config.get(name);
  if (path === '') throw new OptionError(`${name}: TLS needs it`);
  const bytes = explained(`${name}: cannot read it`, () => readFileSync(path));
  if (bytes.length <= TLS_FILE_BYTES) return bytes;
  throw new OptionError(`${name}: ${path} is longer than ${TLS_FILE_BYTES} bytes`);
}

function protocolsOf(config: Settings): { minVersion: SecureVersion; maxVersion: SecureVersion } {
  const words = config.get('tls-protocols').split(/\s+/).filter(Boolean);
  const known = words.map((word) => word.toLowerCase());
  if (known.some((word) => word !== 'tlsv1.2' && word !== 'tlsv1.3')) {
    throw new OptionError('tls-protocols: give TLSv1.2, TLSv1.3, or both');
  }
  const has = (word: string): boolean => known.length === 0 || known.includes(word);
  return {
    minVersion: has('tlsv1.2') ? 'TLSv1.2' : 'TLSv1.3',
    maxVersion: has('tlsv1.3') ? 'TLSv1.3' : 'TLSv1.2',
  };
}

/** Both lists in one, as Node takes them: it tells the ciphers of TLS 1.3 by their names. */
function ciphersOf(config: Settings): string {
  const isSuite = (name: string): boolean => name.startsWith('TLS_');
  const defaults = DEFAULT_CIPHERS.split(':');
  const suites = config.get('tls-ciphersuites');
  if (suites !== '' && !suites.split(':').every(isSuite)) {
    throw new OptionError('tls-ciphersuites: the names of ciphers of TLS 1.3 begin with TLS_');
  }
  const older = config.get('tls-ciphers') || defaults.filter((name) => !isSuite(name)).join(':');
  return `${suites || defaults.filter(isSuite).join(':')}:${older}`;
}

/** Whether somebody is to be judged by the certificates of a CA. */
const needsCa = (config: Settings): boolean =>
  config.get('tls-cluster') === 'yes' ||
  (config.get('tls-port') !== 0 && config.get('tls-auth-clients') !== 'no');

/** Reads and checks what these settings name. Throws OptionError, which names the option and the reason. */
export function readTlsMaterial(config: Settings): TlsMaterial {
  const cert = contentOf(config, 'tls-cert-file');
  const key = contentOf(config, 'tls-key-file');
  const passphrase = config.get('tls-key-file-pass') || undefined;
  const certificate = explained('tls-cert-file: no certificate', () => new X509Certificate(cert));
  const privateKey = explained('tls-key-file: no key that can be used', () =>
    createPrivateKey(passphrase === undefined ? { key } : { key, passphrase }),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new OptionError('tls-key-file: not the key of the certificate in tls-cert-file');
  }
  const options: SecureContextOptions = {
    cert,
    key,
    ...(passphrase === undefined ? {} : { passphrase }),
    ciphers: ciphersOf(config),
    honorCipherOrder: config.get('tls-prefer-server-ciphers') === 'yes',
    ...protocolsOf(config),
  };
  if (needsCa(config) || config.get('tls-ca-cert-file') !== '') {
    const ca = contentOf(config, 'tls-ca-cert-file');
    explained('tls-ca-cert-file: no certificate', () => new X509Certificate(ca));
    options.ca = ca;
  }
  const context = explained('TLS', () => createSecureContext(options));
  return { options, context, certificate, authClients: config.get('tls-auth-clients') };
}

/**
 * Keeps what TLS is spoken with: read at the start, when CONFIG SET names one of its options, and by `reload`. What cannot
 * be used is refused, and what was there goes on. Connections that are open keep what they have begun with.
 */
export class TlsFiles {
  /** Counts what becomes of handshakes. */
  readonly statistics: Statistics;
  readonly #config: Config;
  readonly #logger: Logger;
  #current: TlsMaterial;
  /** Read for a change that is about to be made. */
  #next: TlsMaterial | null = null;

  /** Throws OptionError. */
  constructor(config: Config, logger: Logger, statistics: Statistics) {
    this.statistics = statistics;
    this.#config = config;
    this.#logger = logger;
    this.#current = readTlsMaterial(config);
    config.guard(NAMES, (next) => {
      try {
        this.#next = readTlsMaterial(next);
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        throw new OptionError(`Unable to update TLS configuration. ${error.message}`);
      }
    });
    config.watch(NAMES, () => this.#take(this.#next ?? this.#current));
  }

  get current(): TlsMaterial {
    return this.#current;
  }

  /** Reads the files again. */
  reload(): void {
    try {
      this.#take(readTlsMaterial(this.#config));
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      this.#logger.error('certificates are as before', { reason: error.message });
    }
  }

  #take(material: TlsMaterial): void {
    this.#next = null;
    this.#current = material;
    const { subject, validTo, fingerprint256 } = material.certificate;
    const facts = { subject, validTo, fingerprint: fingerprint256 };
    const endsAt = Date.parse(validTo);
    this.statistics.tlsCertificateEndsAt = endsAt / 1000;
    if (endsAt <= Date.now()) this.#logger.warn('certificate in use, which has expired', facts);
    else this.#logger.info('certificate in use', facts);
  }
}

/** Null where neither clients nor members speak TLS. Throws OptionError. */
export function openTlsFiles(
  config: Config,
  logger: Logger,
  statistics: Statistics,
): TlsFiles | null {
  const isUsed = config.get('tls-port') !== 0 || config.get('tls-cluster') === 'yes';
  return isUsed ? new TlsFiles(config, logger, statistics) : null;
}
