// Writes docs/options.md from the table of options, as it was built.
import { writeFileSync } from 'node:fs';
import { optionsPage } from '../dist/lib/base/options-page.js';

writeFileSync(new URL('../docs/options.md', import.meta.url), optionsPage());
