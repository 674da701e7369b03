type ListenError = NodeJS.ErrnoException & { port?: number; address?: string };

/**
 * "port 7001 on 127.0.0.1 is in use": what a person can do something about, of an error that starting a node ended with.
 * Null for any other error.
 */
export function listenFailure(error: unknown): string | null {
  const { syscall, code, port, address, message } = error as ListenError;
  if (syscall !== 'listen' && syscall !== 'getaddrinfo') return null;
  const where = port === undefined ? '' : `port ${port} on ${address}`;
  if (code === 'EADDRINUSE') return `${where} is in use`;
  return `cannot listen${where && ` to ${where}`}: ${message}`;
}
