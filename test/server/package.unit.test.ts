import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

/** Checks the manifests against the sources. `package.soak.test.ts` builds, installs and starts the package. */
const root = resolve(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const filesIn = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));

/** Returns the npm packages that the files of a folder import. */
const importedIn = (folder: string) =>
  new Set(
    filesIn(join(root, folder))
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => [
        ...readFileSync(join(root, folder, name), 'utf8').matchAll(
          /(?:^(?:import|export) (?!type )(?:[^;'"]* from )?|\bimport\()'(?!\.|node:)((?:@[^/']+\/)?[^/']+)/gm,
        ),
      ])
      .map(([, name = '']) => name),
  );

test.each([
  ['php-session', 'packages/php-session'],
  ['session-server', 'packages/session-server'],
])('packages/%s depends on exactly the packages that its files import', (_, folder) => {
  const { dependencies = {} } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  expect(Object.keys(dependencies).sort()).toEqual([...importedIn(join(folder, 'src'))].sort());
});

test('depends on exactly sharp and the dependencies of its two packages, in the same versions', () => {
  // sharp loads its WebAssembly if native code is forbidden.
  const names = ['sharp', '@img/sharp-wasm32'];
  for (const folder of ['php-session', 'session-server']) {
    const { name, dependencies = {} } = JSON.parse(
      readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'),
    );
    expect(manifest.dependencies).toMatchObject(dependencies);
    names.push(...Object.keys(dependencies));
    expect(manifest.devDependencies).toHaveProperty(name);
  }
  expect(Object.keys(manifest.dependencies).sort()).toEqual(names.sort());
  for (const name of importedIn('server'))
    expect({ ...manifest.dependencies, ...manifest.devDependencies }).toHaveProperty([name]);
});

test.each(['.', 'packages/php-session', 'packages/session-server'])(
  'the dependencies of %s support the oldest Node that it supports',
  (folder) => {
    const oldest = ({ engines = {} }: { engines?: { node?: string } }) => {
      const [, major = 0, minor = 0] = /^>= ?(\d+)(?:\.(\d+))?/.exec(engines.node ?? '') ?? [];
      return Number(major) * 1000 + Number(minor);
    };
    const read = (path: string) => JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
    const { dependencies = {}, ...own } = read(folder);
    const newer = Object.keys(dependencies).filter(
      (name) => oldest(read(`node_modules/${name}`)) > oldest(own),
    );
    expect(newer).toEqual([]);
  },
);

test('runs no script during installation', () => {
  const installing = /^(pre|post)?(install|prepare)$/;
  expect(Object.keys(manifest.scripts).filter((name) => installing.test(name))).toEqual([]);
});
