// Puts the program together into a few files. A node starts in half of the processor time that it takes to load its
// hundreds of modules one by one (0.35 s to 0.65, measured beside each other). What is only needed now and then stays apart.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist/bin', { recursive: true, force: true });
await build({
  entryPoints: ['bin/tandis.ts'],
  outdir: 'dist/bin',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
});
