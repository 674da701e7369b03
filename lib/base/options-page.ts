import { Config } from './config.js';
import { OPTION_NAMES, type OptionName, optionFacts } from './options.js';

const HEADING = `# Options

Made from \`lib/base/options.ts\` by \`npm run build && node scripts/write-options-page.js\`.

Given on the command line as \`--name value\`, by an environment variable (\`TANDIS_CONFIG_MAXMEMORY=1gb\`; \`-\` becomes \`_\`), or in a file
(\`tandis server /etc/tandis.conf\`) in the syntax of redis.conf: one \`name value\` to a line, \`#\` before a comment, quotes around
what has spaces, \`include FILE\`. The command line wins over the environment, that over the file. A mistake ends the start with one line that
names file, line and reason. Read by \`CONFIG GET\`; those marked *live* may be changed by \`CONFIG SET\`, and \`CONFIG REWRITE\` brings the
file to what is so now: comments and order stay.
Bytes take the units of Redis: \`k\` is 1000, \`kb\` is 1024, and so on up to \`gb\`.

| option | values | default | live | what it does |
| --- | --- | --- | --- | --- |
`;

function values(name: OptionName): string {
  const facts = optionFacts(name);
  switch (facts.type) {
    case 'integer':
      return `${facts.min} to ${facts.max}${facts.unit === undefined ? '' : ` ${facts.unit}`}`;
    case 'choice':
      return facts.choices.join(', ');
    case 'addresses':
      return 'host:port';
    case 'lines':
      return 'text';
    case 'output-limits':
      return 'class hard soft seconds';
    case 'event-classes':
      return 'letters of `Ag$lshzxeKEtmdn`';
    default:
      return facts.type;
  }
}

/** docs/options.md. */
export function optionsPage(): string {
  const defaults = new Config();
  const rows = OPTION_NAMES.filter((name) => optionFacts(name).fixed !== true).map((name) => {
    const { mutable, summary, alias } = optionFacts(name);
    const also = alias === undefined ? '' : `; also \`${alias}\``;
    const shown = defaults.show(name) === '' ? '' : `\`${defaults.show(name)}\``;
    return `| \`${name}\` | ${values(name)} | ${shown} | ${mutable ? 'live' : ''} | ${summary}${also} |\n`;
  });
  return `${HEADING}${rows.join('')}`;
}
