/** The program as `bin/tandis.ts`, in the modules that it is made of: what stands in a profile of it has its file. */
import { fileURLToPath } from 'node:url';
import { runProgram } from '../../lib/server/cli/program.js';

await runProgram(process.argv.slice(2), fileURLToPath(import.meta.url));
