/** Which arguments of a command are channels: from the first on, one or all. */
export interface ChannelArguments {
  readonly isOne: boolean;
  /** They are patterns of channels. */
  readonly arePatterns: boolean;
}

const one = { isOne: true, arePatterns: false };
const all = { isOne: false, arePatterns: false };

/** Commands that a user needs a permission on channels for; who leaves a channel needs none. */
export const channelArguments: Readonly<Record<string, ChannelArguments>> = {
  publish: one,
  spublish: one,
  subscribe: all,
  ssubscribe: all,
  psubscribe: { isOne: false, arePatterns: true },
};
