import { type Command, InvalidArgumentError, Option } from 'commander';
import { addSetting, type OptionTexts } from '../../admin/config-text.js';
import { Config } from '../../base/config.js';
import { OptionError } from '../../base/option-values.js';
import { isOptionName, OPTION_NAMES, type OptionName, optionFacts } from '../../base/options.js';
import type { ConfigFile } from '../config-file.js';

const DEFAULTS = new Config();

/** "<port>", "<ms>": what stands for the value in the help. */
function placeholder(name: OptionName): string {
  const facts = optionFacts(name);
  if (facts.type === 'integer') return `<${facts.unit ?? 'n'}>`;
  return facts.type === 'addresses' ? '<host:port>' : `<${facts.type.replace('output-', '')}>`;
}

function describe(name: OptionName): string {
  const facts = optionFacts(name);
  const choices = facts.type === 'choice' ? ` (${facts.choices.join(', ')})` : '';
  const shown = DEFAULTS.show(name);
  return `${facts.summary}${choices}${shown === '' ? '' : ` [${shown}]`}`;
}

function checked(name: OptionName, text: string): string {
  try {
    DEFAULTS.read(name, text);
    return text;
  } catch (error) {
    if (error instanceof OptionError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** Adds every option of the table to a command. The values stay texts; addresses given several times are joined. */
export function addConfigOptions(command: Command): Command {
  for (const name of OPTION_NAMES) {
    const facts = optionFacts(name);
    if (facts.fixed) continue;
    const option = new Option(`--${name} ${placeholder(name)}`, describe(name));
    option.argParser((text: string, before: string | undefined) => {
      const value = checked(name, text);
      if (before === undefined) return value;
      if (facts.type === 'lines') return `${before}\n${value}`;
      return facts.type === 'addresses' ? `${before} ${value}` : value;
    });
    command.addOption(option);
  }
  return command;
}

/** Before the name of an option in an environment variable, `-` as `_`: TANDIS_CONFIG_MAXMEMORY. */
const VARIABLE_PREFIX = 'TANDIS_CONFIG_';

/** What the environment sets. Throws OptionError, which names the variable. */
function environmentTexts(): OptionTexts {
  const texts: OptionTexts = {};
  for (const [variable, value] of Object.entries(process.env)) {
    if (!variable.startsWith(VARIABLE_PREFIX) || value === undefined) continue;
    const name = variable.slice(VARIABLE_PREFIX.length).toLowerCase().replaceAll('_', '-');
    if (!isOptionName(name)) throw new OptionError(`${variable}: no option '${name}'`);
    try {
      addSetting(texts, name, value);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      throw new OptionError(`${variable}: ${error.message}`);
    }
  }
  return texts;
}

/**
 * The configuration that a file (null for none), the environment and the options of `command` mean: the later of
 * these wins. Throws OptionError, which says where the mistake is.
 */
export function configOf(command: Command, file: ConfigFile | null): Config {
  const texts: OptionTexts = { ...file?.read(), ...environmentTexts() };
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (typeof value === 'string') texts[option.name() as OptionName] = value;
  }
  return new Config(texts);
}
