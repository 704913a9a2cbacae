import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './npm-packages.mjs';

// Copies the durations of Vitest's last run to test/durations.json. CI has no previous run, and uses this file to start
// the longest tests first. Update it occasionally.
const folder = join(root, 'node_modules/.vite/vitest');
const [results] = existsSync(folder) ? globSync('*/results.json', { cwd: folder }) : [];
if (results === undefined) throw new Error('no durations: run npm test first');
const { files } = JSON.parse(readFileSync(join(folder, results), 'utf8')).projects.integration;
const seconds = Object.entries(files)
  .map(([file, { duration }]) => /** @type {const} */ ([file, Math.round(duration / 1000)]))
  .filter(([, duration]) => duration >= 5)
  .sort(([a], [b]) => (a < b ? -1 : 1));
writeFileSync(join(root, 'test/durations.json'), `${JSON.stringify(Object.fromEntries(seconds), null, 2)}\n`);
