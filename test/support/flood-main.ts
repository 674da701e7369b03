/**
 * Opens connections to a port, says on each something that nobody there wants to hear, and opens another one when it is
 * closed; tells on its standard output how many it has opened.
 *
 *     node flood-main.js FROM PORT CONNECTIONS_AT_ONCE [WORDS_IN_HEXADECIMAL...]
 *
 * FROM is an address of this machine, that it connects from.
 */
import { connect } from 'node:net';

const REPORT_MS = 50;
const [localAddress, port, atOnce] = [process.argv[2]!, process.argv[3], process.argv[4]];
const words = process.argv.slice(5).map((hex) => Buffer.from(hex, 'hex'));
let opened = 0;

function open(): void {
  const socket = connect({ host: '127.0.0.1', port: Number(port), localAddress });
  socket.on('error', () => undefined);
  socket.on('connect', () => {
    socket.resume().write(words[opened++ % words.length]!);
  });
  socket.on('close', () => setImmediate(open));
}

for (let i = 0; i < Number(atOnce); i++) open();
setInterval(() => process.stdout.write(`${opened}\n`), REPORT_MS);
