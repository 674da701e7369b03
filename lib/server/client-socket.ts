/** What a client connection needs of its socket: that of the network, or one within this process (LocalSocket). */
export interface ClientSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** Bytes that were written, and that the other end has not taken yet. */
  readonly writableLength: number;
  /** 'drain': it takes more; 'end': the other end sends no more; 'error', then 'close': nothing comes after that. */
  on(event: 'drain' | 'end' | 'error' | 'close', listener: () => void): unknown;
  /** Stops what comes in, and lets it go on. */
  pause(): unknown;
  resume(): unknown;
  /** The bytes may be overwritten when `writableLength` is 0 after the return. */
  write(bytes: Buffer): unknown;
  write(text: string, encoding: 'latin1'): unknown;
  /** Between these, writes may be joined. */
  cork(): void;
  uncork(): void;
  /** Says that no more is written; 'close' follows when the other end does the same. */
  end(): unknown;
  destroy(): unknown;
}
