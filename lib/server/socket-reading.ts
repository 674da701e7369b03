import { connect, type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';

/**
 * How sockets are read. `onread`: all of them into one shared buffer, which saves a Buffer and a trip
 * through the stream machinery per read (13 to 27 % of all time). `stream`: by 'data' events.
 */
export type ReadMode = 'onread' | 'stream';

/** Receives the bytes of one socket; `chunk` may be overwritten after the return. */
export type ReceiveBytes = (chunk: Buffer, length: number) => void;

interface HandleHolder {
  _handle: object | null;
}

/** Whether this Node lets an accepted socket's handle be taken over (there is no public way; Node 20 to 26 do). */
function hasHandle(socket: Socket): boolean {
  const handle = (socket as unknown as HandleHolder)._handle;
  return typeof handle === 'object' && handle !== null && 'useUserBuffer' in handle;
}

function readInto(shared: Buffer, receive: ReceiveBytes): OnReadOpts {
  return {
    buffer: shared,
    callback: (length, chunk) => {
      receive(chunk as Buffer, length);
      // Reading is stopped by pause(), which also holds when it is called elsewhere.
      return true;
    },
  };
}

/**
 * Makes of a socket that was accepted with `pauseOnConnect` one that reads into `shared`, or returns it to be read as
 * a stream where that cannot be, or `mode` says so. Nothing is read before the socket's `resume` was called.
 */
export function openAccepted(
  accepted: Socket,
  mode: ReadMode,
  shared: Buffer,
  receive: ReceiveBytes,
): Socket {
  if (mode === 'stream' || !hasHandle(accepted)) {
    accepted.on('data', (chunk: Buffer) => receive(chunk, chunk.length));
    accepted.pause();
    return accepted;
  }
  const holder = accepted as unknown as HandleHolder;
  const handle = holder._handle;
  // Without its handle the accepted socket closes nothing when it is destroyed. It must be, for the server waits for
  // it when it closes.
  holder._handle = null;
  const options: SocketConstructorOpts & {
    handle: unknown;
    pauseOnCreate: boolean;
    onread: OnReadOpts;
  } = {
    handle,
    readable: true,
    writable: true,
    allowHalfOpen: true,
    pauseOnCreate: true,
    onread: readInto(shared, receive),
  };
  const socket = new Socket(options);
  accepted.destroy();
  return socket;
}

/** Connects, and reads into `shared`. The socket's events tell how it went. */
export function dial(host: string, port: number, shared: Buffer, receive: ReceiveBytes): Socket {
  return connect({ host, port, noDelay: true, onread: readInto(shared, receive) });
}

/**
 * Connects by TLS, and reads as a stream; the socket says 'secureConnect' when the other end's certificate was found to be
 * one of the CA. What names it has does not matter: members are known by addresses, which change.
 */
export function dialTls(
  host: string,
  port: number,
  secureContext: SecureContext,
  receive: ReceiveBytes,
): TLSSocket {
  const checkServerIdentity = (): undefined => undefined;
  const socket = connectTls({ host, port, secureContext, checkServerIdentity });
  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => receive(chunk, chunk.length));
  return socket;
}
