/**
 * How the two ends of a bus connection prove to one another that they know the cluster-secret:
 *
 *     1. dialler   HELLO      with a nonce
 *     2. acceptor  CHALLENGE  a nonce
 *     3. dialler   PROOF      HMAC of both nonces and the hello, under the secret
 *     4. acceptor  PROOF      the same, labelled as the acceptor's, so that it is no echo
 *
 * What follows is sealed with keys made of secret and nonces (bus-seal.ts): a connection that was recorded is of no
 * use for another one. A stranger learns the acceptor's nonce, and nothing else. Without a secret the hello is all.
 *
 * Over TLS nothing is sealed once more. There the proofs name the TLS session too (its exported keying material), so that
 * whoever has a certificate and no secret cannot pass on the proofs of two others and then speak in their place.
 *
 * While the secret is changed there are two of them: the dialler proves both, the acceptor takes the first that it knows
 * too, and its own proof tells which one. So a node with the old secret, one with both, and then one with the new one
 * and another with both, all understand one another.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  type BusHello,
  decodeBytes,
  decodeHello,
  decodeOpening,
  encodeOpening,
  HELLO_BYTES_MAX,
  HelloType,
  openingLength,
} from './bus-hello.js';

const NONCE_BYTES = 32;
/** What TLS begins with. */
const TLS_RECORD = 22;
const SPEAKS_TLS = 'the other end speaks TLS: it has tls-cluster, this node has not';

/** 32 bytes each: for what is sent to the other end, and for what comes from there. */
export interface SealKeys {
  readonly sending: Buffer;
  readonly receiving: Buffer;
}

/** What both ends are asked for. */
export interface BusCredentials {
  /** The secret of now first; empty for none. */
  readonly secrets: readonly string[];
  /** Tells the TLS session from all others, the same at both ends; empty without TLS. */
  readonly binding: string;
}

/** Both ends are known to one another. `keys` is null where nothing is sealed; `rest` came behind the last frame. */
export interface Opened {
  readonly hello: BusHello;
  readonly keys: SealKeys | null;
  readonly rest: Buffer;
}

/** Takes bytes as they come, until both ends are known. */
export interface Handshake {
  /** Null: more is needed. A text: what is wrong. */
  received(bytes: Buffer): Opened | string | null;
}

type Label = 'dialler' | 'acceptor';

/** What both ends have seen of one another when they prove that they know a secret. */
class Transcript {
  readonly #secret: string;
  readonly #seen: string;
  readonly #isSealed: boolean;

  constructor(secret: string, hello: BusHello, challenge: string, binding: string) {
    this.#secret = secret;
    this.#isSealed = binding === '';
    const { protocol, kind, from, to, nonce } = hello;
    const seen = [protocol, kind, from, to, nonce, challenge];
    this.#seen = JSON.stringify(this.#isSealed ? seen : [...seen, binding]);
  }

  #derive(purpose: 'proof' | 'seal', label: Label): Buffer {
    const text = `tandis bus ${purpose} ${label} ${this.#seen}`;
    return createHmac('sha256', this.#secret).update(text).digest();
  }

  /** In hexadecimal. */
  proof(label: Label): string {
    return this.#derive('proof', label).toString('hex');
  }

  isProof(label: Label, given: Buffer): boolean {
    return timingSafeEqual(given, this.#derive('proof', label));
  }

  keys(own: Label): SealKeys | null {
    if (!this.#isSealed) return null;
    const other = own === 'dialler' ? 'acceptor' : 'dialler';
    return { sending: this.#derive('seal', own), receiving: this.#derive('seal', other) };
  }
}

function transcriptsOf(
  { secrets, binding }: BusCredentials,
  hello: BusHello,
  challenge: string,
): Transcript[] {
  return secrets.map((secret) => new Transcript(secret, hello, challenge, binding));
}

/** The transcript that one of the proofs in this frame was made of. */
function provenBy(
  frame: Buffer,
  label: Label,
  transcripts: readonly Transcript[],
): Transcript | undefined {
  const { proof, previous } = decodeOpening(frame, HelloType.Proof) ?? {};
  const given = [proof, previous].map(decodeBytes).filter((bytes) => bytes !== null);
  return transcripts.find((one) => given.some((bytes) => one.isProof(label, bytes)));
}

/** Gathers one frame after the other. */
abstract class FrameByFrame implements Handshake {
  #bytes: Buffer = Buffer.alloc(0);

  received(bytes: Buffer): Opened | string | null {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (;;) {
      const end = openingLength(this.#bytes);
      if (end > HELLO_BYTES_MAX) return this.#bytes[0] === TLS_RECORD ? SPEAKS_TLS : 'no hello';
      if (!(this.#bytes.length >= end)) return null;
      const frame = this.#bytes.subarray(0, end);
      this.#bytes = this.#bytes.subarray(end);
      const outcome = this.frame(frame);
      if (outcome === null) continue;
      return typeof outcome === 'string' ? outcome : { ...outcome, rest: this.#bytes };
    }
  }

  protected abstract frame(frame: Buffer): Omit<Opened, 'rest'> | string | null;
}

/** The end that has dialled, where there is a secret. */
export class DiallerHandshake extends FrameByFrame {
  readonly #credentials: BusCredentials;
  readonly #hello: BusHello;
  readonly #send: (frame: Buffer) => void;
  #transcripts: readonly Transcript[] | null = null;

  /** Says hello. */
  constructor(credentials: BusCredentials, hello: BusHello, send: (frame: Buffer) => void) {
    super();
    this.#credentials = credentials;
    this.#hello = { ...hello, nonce: randomBytes(NONCE_BYTES).toString('hex') };
    this.#send = send;
    send(encodeOpening(HelloType.Hello, this.#hello));
  }

  protected frame(frame: Buffer): Omit<Opened, 'rest'> | string | null {
    if (this.#transcripts !== null) {
      const proven = provenBy(frame, 'acceptor', this.#transcripts);
      if (proven === undefined) return 'the other end lacks cluster-secret';
      return { hello: this.#hello, keys: proven.keys('dialler') };
    }
    const challenge = decodeBytes(decodeOpening(frame, HelloType.Challenge)?.['nonce']);
    if (challenge === null) return 'no challenge';
    this.#transcripts = transcriptsOf(this.#credentials, this.#hello, challenge.toString('hex'));
    const [proof, previous] = this.#transcripts.map((one) => one.proof('dialler'));
    this.#send(encodeOpening(HelloType.Proof, { proof, previous }));
    return null;
  }
}

/** The end that was dialled. */
export class AcceptorHandshake extends FrameByFrame {
  readonly #credentials: BusCredentials;
  readonly #send: (frame: Buffer) => void;
  #hello: BusHello | null = null;
  #transcripts: readonly Transcript[] = [];

  constructor(credentials: BusCredentials, send: (frame: Buffer) => void) {
    super();
    this.#credentials = credentials;
    this.#send = send;
  }

  protected frame(frame: Buffer): Omit<Opened, 'rest'> | string | null {
    return this.#hello === null ? this.#greeted(frame) : this.#proven(this.#hello, frame);
  }

  #greeted(frame: Buffer): Omit<Opened, 'rest'> | string | null {
    const hello = decodeHello(frame);
    if (typeof hello === 'string') return hello;
    const hasSecret = this.#credentials.secrets.length > 0;
    if (hasSecret !== (hello.nonce !== undefined)) {
      return hasSecret ? 'the other end has no cluster-secret' : 'cluster-secret is missing here';
    }
    if (!hasSecret) return { hello, keys: null };
    const nonce = randomBytes(NONCE_BYTES).toString('hex');
    this.#hello = hello;
    this.#transcripts = transcriptsOf(this.#credentials, hello, nonce);
    this.#send(encodeOpening(HelloType.Challenge, { nonce }));
    return null;
  }

  #proven(hello: BusHello, frame: Buffer): Omit<Opened, 'rest'> | string {
    const proven = provenBy(frame, 'dialler', this.#transcripts);
    if (proven === undefined) return 'the other end has another cluster-secret';
    this.#send(encodeOpening(HelloType.Proof, { proof: proven.proof('acceptor') }));
    return { hello, keys: proven.keys('acceptor') };
  }
}
