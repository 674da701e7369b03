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

/** 32 bytes each: for what is sent to the other end, and for what comes from there. */
export interface SealKeys {
  readonly sending: Buffer;
  readonly receiving: Buffer;
}

/** Both ends are known to one another. `keys` is null without a secret; `rest` came behind the last frame. */
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

/** What both ends have seen of one another when they prove that they know the secret. */
class Transcript {
  readonly #key: string;
  readonly #seen: string;

  constructor(secret: string, hello: BusHello, challenge: string) {
    this.#key = secret;
    const { protocol, kind, from, to, nonce } = hello;
    this.#seen = JSON.stringify([protocol, kind, from, to, nonce, challenge]);
  }

  #derive(purpose: 'proof' | 'seal', label: Label): Buffer {
    const text = `tandis bus ${purpose} ${label} ${this.#seen}`;
    return createHmac('sha256', this.#key).update(text).digest();
  }

  proof(label: Label): object {
    return { proof: this.#derive('proof', label).toString('hex') };
  }

  isProof(label: Label, frame: Buffer): boolean {
    const given = decodeBytes(decodeOpening(frame, HelloType.Proof)?.['proof']);
    return given !== null && timingSafeEqual(given, this.#derive('proof', label));
  }

  keys(own: Label): SealKeys {
    const other = own === 'dialler' ? 'acceptor' : 'dialler';
    return { sending: this.#derive('seal', own), receiving: this.#derive('seal', other) };
  }
}

/** Gathers one frame after the other. */
abstract class FrameByFrame implements Handshake {
  #bytes: Buffer = Buffer.alloc(0);

  received(bytes: Buffer): Opened | string | null {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (;;) {
      const end = openingLength(this.#bytes);
      if (end > HELLO_BYTES_MAX) return 'no hello';
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
  readonly #secret: string;
  readonly #hello: BusHello;
  readonly #send: (frame: Buffer) => void;
  #transcript: Transcript | null = null;

  /** Says hello. */
  constructor(secret: string, hello: BusHello, send: (frame: Buffer) => void) {
    super();
    this.#secret = secret;
    this.#hello = { ...hello, nonce: randomBytes(NONCE_BYTES).toString('hex') };
    this.#send = send;
    send(encodeOpening(HelloType.Hello, this.#hello));
  }

  protected frame(frame: Buffer): Omit<Opened, 'rest'> | string | null {
    if (this.#transcript !== null) {
      if (!this.#transcript.isProof('acceptor', frame)) return 'the other end lacks cluster-secret';
      return { hello: this.#hello, keys: this.#transcript.keys('dialler') };
    }
    const challenge = decodeBytes(decodeOpening(frame, HelloType.Challenge)?.['nonce']);
    if (challenge === null) return 'no challenge';
    this.#transcript = new Transcript(this.#secret, this.#hello, challenge.toString('hex'));
    this.#send(encodeOpening(HelloType.Proof, this.#transcript.proof('dialler')));
    return null;
  }
}

/** The end that was dialled. */
export class AcceptorHandshake extends FrameByFrame {
  readonly #secret: string;
  readonly #send: (frame: Buffer) => void;
  #hello: BusHello | null = null;
  #transcript: Transcript | null = null;

  constructor(secret: string, send: (frame: Buffer) => void) {
    super();
    this.#secret = secret;
    this.#send = send;
  }

  protected frame(frame: Buffer): Omit<Opened, 'rest'> | string | null {
    return this.#hello === null ? this.#greeted(frame) : this.#proven(this.#hello, frame);
  }

  #greeted(frame: Buffer): Omit<Opened, 'rest'> | string | null {
    const hello = decodeHello(frame);
    if (typeof hello === 'string') return hello;
    const hasSecret = this.#secret !== '';
    if (hasSecret !== (hello.nonce !== undefined)) {
      return hasSecret ? 'the other end has no cluster-secret' : 'cluster-secret is missing here';
    }
    if (!hasSecret) return { hello, keys: null };
    const nonce = randomBytes(NONCE_BYTES).toString('hex');
    this.#hello = hello;
    this.#transcript = new Transcript(this.#secret, hello, nonce);
    this.#send(encodeOpening(HelloType.Challenge, { nonce }));
    return null;
  }

  #proven(hello: BusHello, frame: Buffer): Omit<Opened, 'rest'> | string {
    const transcript = this.#transcript!;
    if (!transcript.isProof('dialler', frame)) return 'the other end has another cluster-secret';
    this.#send(encodeOpening(HelloType.Proof, transcript.proof('acceptor')));
    return { hello, keys: transcript.keys('acceptor') };
  }
}
