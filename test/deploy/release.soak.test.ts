import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { projectFiles } from '../helpers/project-files.ts';

/** Needs the registry of npm. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'release-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const execute = promisify(execFile);

/** Runs `npm run release` in a copy of this checkout. @returns the folder with the artefacts */
async function release(name: string): Promise<string> {
  const checkout = join(folder, name);
  for (const file of projectFiles()) cpSync(join(root, file), join(checkout, file));
  const options = { cwd: checkout, env: { ...process.env, SOURCE_DATE_EPOCH: '1' }, maxBuffer: 2 ** 26 };
  await execute('npm', ['ci'], options);
  await execute('npm', ['run', 'release'], options);
  return join(checkout, 'release');
}

test('a release in two folders has the same artefacts and bytes', async () => {
  // URLs encode characters of the second name.
  const [one, other] = [await release('checkout'), await release('my 100% ü')];
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const artefacts = [
    `php-session-chat-${version}.cdx.json`,
    `php-session-chat-${version}.tgz`,
    `php-session-chat-chart-${version}.tgz`,
    'php-session-chat.zip',
    ...['amd64', 'arm64'].map((architecture) => `php-session-chat_${version}_${architecture}.deb`),
    `php-sessions-${version}.tgz`,
  ];
  expect(readdirSync(one).sort()).toEqual(['SHA256SUMS', ...artefacts].sort());
  const sums = readFileSync(join(one, 'SHA256SUMS'), 'utf8');
  expect(sums.match(/\S+$/gm)?.sort()).toEqual(artefacts.sort());
  await execute('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: one });
  expect(readFileSync(join(other, 'SHA256SUMS'), 'utf8')).toBe(sums);
}, 1_800_000);
