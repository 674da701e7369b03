import type { Command, Option } from 'commander';

/** What follows an option. */
type Value = 'none' | 'any' | 'file' | readonly string[];

interface Flag {
  /** "--port" */
  readonly long: string;
  /** "-p", or nothing. */
  readonly short: string | undefined;
  readonly description: string;
  readonly value: Value;
}

interface Words {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly Flag[];
  /** What its arguments may be. */
  readonly argument: Value;
}

/** Choices stand at the end of a description of the options of a node: "... (available, majority) [available]". */
function choicesOf({ argChoices, description }: Option): readonly string[] | undefined {
  if (argChoices !== undefined) return argChoices;
  const listed = /\(([\w-]+(?:, [\w-]+)+)\)(?: \[[^\]]*\])?$/.exec(description)?.[1];
  return listed?.split(', ');
}

function flagOf(option: Option): Flag {
  const { long, short, description, flags } = option;
  const takesFile = /<(file|path)>/.test(flags) || /file$/.test(long ?? '');
  const rest = takesFile ? 'file' : 'any';
  const value = option.required ? (choicesOf(option) ?? rest) : 'none';
  return { long: long!, short: short ?? undefined, description, value };
}

/** All commands, as they are built. */
function wordsOf(program: Command): Words[] {
  return program.commands.map((command) => {
    const help = command.createHelp();
    const [argument] = command.registeredArguments;
    const rest = argument?.name() === 'file' ? 'file' : 'any';
    return {
      name: command.name(),
      description: command.description(),
      flags: help.visibleOptions(command).map(flagOf),
      argument: argument === undefined ? 'none' : (argument.argChoices ?? rest),
    };
  });
}

export function completionScript(program: Command, shell: 'bash' | 'zsh' | 'fish'): string {
  const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
  return scripts[shell](program.name(), wordsOf(program));
}

const names = ({ long, short }: Flag): string[] => (short === undefined ? [long] : [short, long]);

function bashValue(value: Value, otherwise: string): string {
  if (value === 'file') return 'COMPREPLY=($(compgen -f -- "$word"))';
  if (typeof value === 'string') return otherwise;
  return `COMPREPLY=($(compgen -W '${value.join(' ')}' -- "$word"))`;
}

function bashCommand({ name, flags, argument }: Words): string[] {
  const values = flags.filter(({ value }) => value !== 'none');
  const cases = values.map((flag) => {
    return `        ${names(flag).join('|')}) ${bashValue(flag.value, 'COMPREPLY=()')}; return ;;`;
  });
  const words = flags.flatMap(names).join(' ');
  return [
    `    ${name})`,
    '      case "$before" in',
    ...cases,
    '      esac',
    `      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '${words}' -- "$word"))`,
    `      else ${bashValue(argument, ':')}; fi ;;`,
  ];
}

function bashScript(program: string, commands: readonly Words[]): string {
  const all = commands.map(({ name }) => name).join(' ');
  const lines = [
    `# bash completion of ${program}`,
    `_${program}() {`,
    `  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}`,
    '  COMPREPLY=()',
    '  if [ "$COMP_CWORD" = 1 ]; then',
    `    COMPREPLY=($(compgen -W '${all} --help --version' -- "$word"))`,
    '    return',
    '  fi',
    `  case "\${COMP_WORDS[1]}" in`,
    ...commands.flatMap(bashCommand),
    '  esac',
    '}',
    `complete -F _${program} ${program}`,
  ];
  return `${lines.join('\n')}\n`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function zshValue(value: Value): string {
  if (value === 'none') return '';
  if (value === 'file') return ':file:_files';
  return typeof value === 'string' ? ':value:' : `:value:(${value.join(' ')})`;
}

function zshCommand({ name, flags, argument }: Words): string[] {
  const specs = flags.flatMap((flag) => {
    const description = flag.description.replaceAll(/[[\]\\:]/g, '\\$&');
    return names(flag).map((one) => quoted(`*${one}[${description}]${zshValue(flag.value)}`));
  });
  if (argument !== 'none') specs.push(quoted(`*${zshValue(argument)}`));
  return [`    ${name})`, `      _arguments \\`, `        ${specs.join(' \\\n        ')} ;;`];
}

function zshScript(program: string, commands: readonly Words[]): string {
  const described = commands.map(({ name, description }) => {
    return `    ${quoted(`${name}:${description.replaceAll(':', '\\:')}`)}`;
  });
  const lines = [
    `#compdef ${program}`,
    `_${program}() {`,
    '  local -a commands',
    '  commands=(',
    ...described,
    '  )',
    '  if (( CURRENT == 2 )); then',
    '    _describe command commands',
    '    return',
    '  fi',
    '  shift words',
    '  (( CURRENT-- ))',
    '  case $words[1] in',
    ...commands.flatMap(zshCommand),
    '  esac',
    '}',
    `if [ "$funcstack[1]" = _${program} ]; then _${program} "$@"; else compdef _${program} ${program}; fi`,
  ];
  return `${lines.join('\n')}\n`;
}

function fishValue(value: Value): string {
  if (value === 'none') return '';
  if (value === 'file') return ' -r -F';
  return typeof value === 'string' ? ' -x' : ` -x -a ${fishQuoted(value.join(' '))}`;
}

const fishQuoted = (text: string): string => `'${text.replaceAll(/[\\']/g, '\\$&')}'`;

function fishCommand(program: string, { name, flags, argument }: Words): string[] {
  const inside = `complete -c ${program} -n '__fish_seen_subcommand_from ${name}'`;
  const lines = flags.map(({ long, short, description, value }) => {
    const brief = short === undefined ? '' : ` -s ${short.slice(1)}`;
    const what = `-d ${fishQuoted(description)}`;
    return `${inside}${brief} -l ${long.slice(2)} ${what}${fishValue(value)}`;
  });
  if (argument === 'file') lines.push(`${inside} -F`);
  if (typeof argument !== 'string') lines.push(`${inside} -a ${fishQuoted(argument.join(' '))}`);
  return lines;
}

function fishScript(program: string, commands: readonly Words[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c ${program} -n __fish_use_subcommand -a ${command.name} -d ${fishQuoted(command.description)}`,
    ...fishCommand(program, command),
  ]);
  return `# fish completion of ${program}\ncomplete -c ${program} -f\n${lines.join('\n')}\n`;
}
