import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'vite';
import {
  bundle,
  command,
  historyThreads,
  isOwnSource,
  otherPrograms,
  startsProgram,
} from '../../scripts/server-bundles.ts';
import { sourcesKey } from './sources-key.ts';

/**
 * Tests start hundreds of servers and as many threads, from bundles that are made before the first test. Tests of the
 * start itself start the sources.
 */
const root = join(import.meta.dirname, '../..');
const folder = join(root, 'node_modules/.cache/test-bundles');

/** Bundled together, to save time. Each thread of the history gets its own file, because most tests start it. */
const programs = [
  command,
  ...otherPrograms,
  'test/helpers/chat-parts.ts',
  'test/helpers/next-chat-server.ts',
  'test/helpers/history-host.ts',
];

/** Returns the folder for the bundles of the current sources. Its name changes with the sources. */
function bundlesOf(): string {
  const helpers = ['chat-parts', 'next-chat-server', 'history-host', 'reused-threads', 'make-bundles'];
  const files = helpers.map((name) => `test/helpers/${name}.ts`);
  files.push('scripts/server-bundles.ts');
  return join(
    folder,
    sourcesKey(['server', 'packages'], /\/src\/.*\.ts$|^server\/.*\.(ts|mjs)$/, [
      'package-lock.json',
      ...files,
    ]),
  );
}

const besideBundles = (bundles: string, id: string): string =>
  join(bundles, '/', relative(root, id).replace(/\.ts$/, '.mjs'));

/** Makes the module that starts the threads of a history use the threads of reused-threads.ts, if the test loaded it. */
const reusingThreads: Plugin = {
  name: 'reusing-threads',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('server/history/sqlite/sqlite.ts')) return;
    const started = 'new Worker(file, { workerData: { path } })';
    if (!code.includes(started)) throw new Error(`${id} starts its threads in another way`);
    const reused = '(globalThis.startHistoryThread ?? ((...given) => new Worker(...given)))(';
    return { code: code.replace('new Worker(', reused), map: null };
  },
};

/**
 * Makes modules start their threads from the bundles even if a test imports the modules themselves from the sources.
 * Vitest caches transformed code, so that code reads the name of the bundles' folder when it runs.
 */
export function threadsOfBundles(): Plugin[] {
  const fromBundles: Plugin = {
    name: 'threads-of-bundles',
    enforce: 'pre',
    transform(code, id) {
      if (!isOwnSource(id) || !code.includes(startsProgram)) return;
      const place = besideBundles('', id);
      const url = `process.getBuiltinModule('node:url').pathToFileURL(process.env.TEST_BUNDLES + '${place}').href`;
      const made = `(process.env.TEST_BUNDLES ? ${url} : import.meta.url)`;
      return { code: code.replaceAll('import.meta.url', made), map: null };
    },
  };
  return [fromBundles, reusingThreads];
}

/**
 * Makes the bundles of the current sources if they are missing. Then `startChild` starts them, in this process and its
 * children.
 */
export default async function makeBundles(): Promise<void> {
  const bundles = bundlesOf();
  process.env.TEST_BUNDLES = bundles;
  if (existsSync(bundles)) return;
  mkdirSync(folder, { recursive: true });
  const made = mkdtempSync(join(folder, 'new-'));
  // Some tests run a program as another user.
  chmodSync(made, 0o755);
  // Modules find their files next to the sources, and the programs that they start among the bundles.
  const urlOf = (id: string, code: string) => {
    const place = code.includes(startsProgram) ? besideBundles(bundles, id) : id;
    return JSON.stringify(pathToFileURL(place).href);
  };
  const options = { outDir: made, chunks: 'chunks', urlOf, plugins: [reusingThreads] } as const;
  await bundle(programs, { ...options, extension: 'mjs' });
  for (const thread of historyThreads)
    for (const extension of ['mjs', 'cjs'] as const) await bundle([thread], { ...options, extension });
  // Compares times of files, because a test may run with another clock.
  const dayBefore = statSync(made).mtimeMs - 24 * 3600_000;
  const isOld = (path: string) => statSync(path).mtimeMs < dayBefore;
  for (const name of readdirSync(folder)) {
    if (isOld(join(folder, name))) rmSync(join(folder, name), { recursive: true, force: true });
  }
  // Another run may have been faster.
  if (existsSync(bundles)) rmSync(made, { recursive: true });
  else renameSync(made, bundles);
}

// For tests in PHP.
if (import.meta.main) {
  await makeBundles();
  console.log(process.env.TEST_BUNDLES);
}
