// Writes docs/cli.md from the commands of the program, as it was built.
import { writeFileSync } from 'node:fs';
import { cliPage } from '../dist/lib/server/cli/cli-page.js';
import { buildProgram } from '../dist/lib/server/cli/program.js';

writeFileSync(new URL('../docs/cli.md', import.meta.url), cliPage(buildProgram('')));
