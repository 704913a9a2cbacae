import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { sharedFolders } from '../../scripts/client-build.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** URLs encode characters of this folder. */
const folder = mkdtempSync(join(tmpdir(), 'my 100% ü-'));
afterAll(() => rmSync(folder, { recursive: true }));
for (const part of ['scripts', 'package.json'])
  cpSync(join(root, part), join(folder, part), { recursive: true });

/** Runs `npm run build` in the folder, on a Node that reports this version. */
function build(version = '20.19.0') {
  const code = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });
    await import('./scripts/build.mjs');`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { status, stderr: stderr.trim() };
}

test('the commands run on an older Node than the packages support, and reject one before it', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { engines?: unknown }>;
  };
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: unknown };
  // Not those of the dependencies, about which npm would warn.
  expect(Object.values(packages).flatMap(({ engines }) => engines ?? [])).toEqual([engines]);
  expect(engines).toEqual({ node: '>=22.13' });
  expect(build('20.18.3')).toEqual({
    status: 69,
    stderr: expect.stringMatching(/^Node >=20\.19 is required, but this is Node 20\.18\.3\. .*$/),
  });
});

test('`npm run build` explains why the packaged Node cannot run, and succeeds once it can', () => {
  mkdirSync(join(folder, 'client'));
  for (const shared of sharedFolders) mkdirSync(join(folder, shared), { recursive: true });
  mkdirSync(join(folder, 'docs'));
  for (const file of ['docs/element.md', 'package-lock.json']) writeFileSync(join(folder, file), '');
  expect(build()).toEqual({
    status: 69,
    stderr: expect.stringMatching(/^The npm packages are not installed.*npm ci$/),
  });

  const packaged = join(folder, `node_modules/node-${process.platform}-${process.arch}/bin`);
  mkdirSync(packaged, { recursive: true });
  const library = join(folder, 'libatomic.so.1');
  const loader = 'node: error while loading shared libraries: libatomic.so.1: cannot open shared object file';
  // Creates the output folder, as Vite would.
  writeFileSync(
    join(packaged, 'node'),
    `#!/bin/sh\n[ -e '${library}' ] || { echo '${loader}' >&2; exit 127; }\nmkdir -p client/dist\n`,
    { mode: 0o755 },
  );
  expect(build()).toEqual({
    status: 69,
    stderr: expect.stringMatching(new RegExp(`${loader}\n.*apt-get install libatomic1`)),
  });
  writeFileSync(library, '');
  expect(build()).toEqual({ status: 0, stderr: '' });
});
