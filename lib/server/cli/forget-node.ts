import { type Access, ask } from './asking.js';
import { type NodeLine, parseClusterNodes } from './show-status.js';

export interface ForgetOptions extends Access {
  readonly host: string;
  readonly port: number;
  readonly force: boolean;
}

/**
 * `tandis forget MEMBER`: a member that is gone for good counts for nothing any more. MEMBER is its id, how that begins, or
 * host:port. Exit status 1 when it is refused, or the node asked cannot be reached.
 */
export async function forgetNode(member: string, options: ForgetOptions): Promise<number> {
  const { host, port, force } = options;
  try {
    const id = idOf(member, await ask(host, port, options, (client) => client.cluster('NODES')));
    const words = force ? [id, 'FORCE'] : [id];
    await ask(host, port, options, (client) => client.call('CLUSTER', 'FORGET', ...words));
    process.stdout.write(`${id} is forgotten\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`tandis: ${host}:${port}: ${(error as Error).message}\n`);
    return 1;
  }
}

function idOf(member: string, nodes: unknown): string {
  const isIt = ({ id, host, port }: NodeLine): boolean =>
    id.startsWith(member) || `${host}:${port}` === member;
  const found = parseClusterNodes(String(nodes)).filter(isIt);
  if (found.length > 1) throw new Error(`several members fit ${member}`);
  return found[0]?.id ?? member;
}
