import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

/** What a package can lack shows in its sources; `package.soak.test.ts` builds, installs and starts it. */
const root = resolve(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const filesIn = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));

test('depends on the packages that its files import, and on no others', () => {
  const imported = ['server', 'session-server'].flatMap((part) =>
    filesIn(join(root, part))
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => [
        ...readFileSync(join(root, part, name), 'utf8').matchAll(
          /(?:^(?:import|export) (?!type )(?:[^;'"]* from )?|\bimport\()'(?!\.|node:)((?:@[^/']+\/)?[^/']+)/gm,
        ),
      ])
      .map(([, name = '']) => name),
  );
  // sharp loads it by itself where native code may not run.
  const all = new Set([...imported, '@img/sharp-wasm32']);
  expect(Object.keys(manifest.dependencies).sort()).toEqual([...all].sort());
});

test('runs no script when it is installed', () => {
  const installing = /^(pre|post)?(install|prepare)$/;
  expect(Object.keys(manifest.scripts).filter((name) => installing.test(name))).toEqual([]);
});

test('the README of the sessions links to files that the package contains', () => {
  const readme = join(root, 'server/session/README.md');
  const links = [...readFileSync(readme, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)];
  const targets = links.map(([, to = '']) => resolve(readme, '..', to));
  expect(targets.length).toBeGreaterThan(0);
  const packed = /^(docs\/[\w-]+\.md|server\/session\/README\.md|CHANGELOG\.md|README\.md|LICENSE)$/;
  expect(targets.filter((to) => !existsSync(to) || !packed.test(to.slice(root.length + 1)))).toEqual([]);
});

test('the chart is packed in the way of helm, in the same bytes each time', () => {
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
  const chart = filesIn(join(root, 'deploy/helm')).map((name) => `php-session-chat/${name}`);
  expect(listed.filter((name) => !name.endsWith('/')).sort()).toEqual(chart.sort());
});
