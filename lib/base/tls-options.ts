import type { Option } from './options.js';

/** TLS, by Redis's names. */
export const TLS_OPTIONS = {
  'tls-port': {
    type: 'integer',
    default: 0,
    min: 0,
    max: 65535,
    summary: 'TCP port for clients that speak TLS; 0 for none. With it, port 0 is no port at all',
  },
  'tls-cluster': {
    type: 'choice',
    default: 'no',
    choices: ['no', 'yes'],
    summary: 'yes: members speak TLS to one another, with certificates of tls-ca-cert-file',
  },
  'tls-cert-file': {
    type: 'string',
    default: '',
    mutable: true,
    summary: 'PEM file with the certificate of this node, and those between it and the CA',
  },
  'tls-key-file': {
    type: 'string',
    default: '',
    mutable: true,
    summary: 'PEM file with its private key',
  },
  'tls-key-file-pass': {
    type: 'string',
    default: '',
    mutable: true,
    hidden: true,
    summary: 'what the private key is encrypted with; empty for nothing',
  },
  'tls-ca-cert-file': {
    type: 'string',
    default: '',
    mutable: true,
    summary: 'PEM file with the CA certificates that clients and members are judged by',
  },
  'tls-auth-clients': {
    type: 'choice',
    default: 'yes',
    choices: ['yes', 'no', 'optional'],
    mutable: true,
    summary: 'whether clients need a certificate of the CA; optional: they may go without one',
  },
  'tls-protocols': {
    type: 'string',
    default: '',
    mutable: true,
    summary: 'TLSv1.2, TLSv1.3, or both with a space between; empty means both',
  },
  'tls-ciphers': {
    type: 'string',
    default: '',
    mutable: true,
    summary: 'ciphers of TLS 1.2, in the words of OpenSSL; empty means those of Node',
  },
  'tls-ciphersuites': {
    type: 'string',
    default: '',
    mutable: true,
    summary: 'ciphers of TLS 1.3, colons between; empty means those of Node',
  },
  'tls-prefer-server-ciphers': {
    type: 'choice',
    default: 'no',
    choices: ['no', 'yes'],
    mutable: true,
    summary: 'yes: of the ciphers that both know, the order of this node counts',
  },
} as const satisfies Record<string, Option>;
