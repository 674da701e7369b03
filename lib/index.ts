/** The public entry of the package: a node inside a Node.js application. */
export { OptionError } from './base/option-values.js';
export type { Argument } from './protocol/request-writer.js';
export {
  type CloseOptions,
  createNode,
  type NodeAddress,
  type TandisNode,
} from './server/embedded-node.js';
export {
  type BufferReply,
  BusyError,
  ClosedError,
  type Command,
  type LocalClient,
  type Reply,
  ReplyError,
  type SetOptions,
} from './server/local-client.js';
export type { Message, MessageListener, Subscription } from './server/local-subscriber.js';
export type { NodeLogger, NodeOptions } from './server/node-options.js';
