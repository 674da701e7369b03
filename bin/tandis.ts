#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { runProgram } from '../lib/server/cli/program.js';

await runProgram(process.argv.slice(2), fileURLToPath(import.meta.url));
