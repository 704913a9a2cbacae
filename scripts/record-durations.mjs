import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './npm-packages.mjs';

// Copies the durations that Vitest noted to test/durations.json, for the projects whose tests take minutes. CI has no
// previous run, and uses this file to start the longest tests first. Update it occasionally.
const folder = join(root, 'node_modules/.vite/vitest');
const [results] = existsSync(folder) ? globSync('*/results.json', { cwd: folder }) : [];
if (results === undefined) throw new Error('no durations: run npm test first');
const noted = JSON.parse(readFileSync(join(folder, results), 'utf8')).projects;
const file = join(root, 'test/durations.json');
const durations = JSON.parse(readFileSync(file, 'utf8'));
for (const project of ['integration', 'soak']) {
  const seconds = Object.entries(noted[project]?.files ?? {})
    .map(([name, { duration }]) => /** @type {const} */ ([name, Math.round(duration / 1000)]))
    .filter(([, duration]) => duration >= 5)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (seconds.length > 0) durations[project] = Object.fromEntries(seconds);
}
writeFileSync(file, `${JSON.stringify(durations, null, 2)}\n`);
