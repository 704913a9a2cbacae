import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

test('packs all files of the Helm chart, with reproducible bytes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'chart-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const files = ['1', '2'].map((name) => join(folder, name));
  const code = `import('./scripts/chart.mjs').then((its) => { ${files.map((file) => `its.packChart('${file}');`).join(' ')} })`;
  execFileSync(process.execPath, ['-e', code], { cwd: root });
  const [first, second] = files.map((file) => readFileSync(file));
  expect(first?.equals(second as Buffer)).toBe(true);
  const listed = execFileSync('tar', ['-tzf', files[0] as string], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const chart = readdirSync(join(root, 'deploy/helm'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(join(root, 'deploy/helm'), join(entry.parentPath, entry.name)))
    .map((name) => `php-session-chat/${name}`);
  expect(listed.filter((name) => !name.endsWith('/')).sort()).toEqual(chart.sort());
});
