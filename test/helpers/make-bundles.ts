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
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'vite';
import { sourcesKey } from './sources-key.ts';

/**
 * Tests start some three hundred servers and as many threads, and most of each start is to load 700 files. So they start
 * bundles of them, made from the sources before the first test. Tests of the start itself start the sources.
 */
const root = join(import.meta.dirname, '../..');
const folder = join(root, 'node_modules/.cache/test-bundles');

/** Threads of the history, which most tests start: a file each, since Node takes a third of their start to link modules. */
const historyThreads = [
  'server/history/engine/sqlite/writer.ts',
  'server/history/engine/sqlite/reader.ts',
  'server/history/engine/sqlite/searcher.ts',
];

/** Programs, and what they start by name. */
const programs = [
  'server/command/main.ts',
  'server/files/examine.ts',
  'server/limits/confined.ts',
  'server/limits/enter-sandbox.ts',
  'server/previews/fetch.ts',
  'packages/php-session/src/large-sessions-thread.ts',
  'packages/php-session/src/configuration/reader-thread.ts',
  'packages/php-session/src/stores/sql/sqlite-search-thread.ts',
  'test/helpers/chat-parts.ts',
  'test/helpers/next-chat-server.ts',
];

/** The folder of the bundles of the sources as they are. Its name changes with them. */
function bundlesOf(): string {
  const files = ['chat-parts', 'next-chat-server', 'make-bundles'].map((name) => `test/helpers/${name}.ts`);
  return join(
    folder,
    sourcesKey(['server', 'packages'], /\/src\/.*\.ts$|^server\/.*\.ts$/, ['package-lock.json', ...files]),
  );
}

/** In a module that starts another one with its own extension. */
const startsThread = 'extname(import.meta.url)';

const besideBundles = (bundles: string, id: string): string =>
  join(bundles, '/', relative(root, id).replace(/\.ts$/, '.mjs'));

/**
 * Puts in the place of `import.meta.url` what it is in the sources; in a module that starts another one with its own
 * extension, what it would be beside the bundle of that one.
 */
function places(bundles: string): Plugin {
  return {
    name: 'places',
    enforce: 'pre',
    transform(code, id) {
      if (
        !code.includes('import.meta.url') ||
        !/\/(server|packages)\//.test(id) ||
        id.includes('node_modules')
      )
        return;
      for (const [, name] of code.matchAll(/`\.\/([\w-]+)\$\{extname\(/g)) {
        const started = join(dirname(relative(root, id)), `${name}.ts`);
        if (![...programs, ...historyThreads].includes(started))
          throw new Error(`make-bundles.ts has no ${started}, which ${id} starts`);
      }
      const place = code.includes(startsThread) ? besideBundles(bundles, id) : id;
      return {
        code: code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(place).href)),
        map: null,
      };
    },
  };
}

/**
 * Where a bundle imports Node's `http`, as packages do that require it, Node would load its own client for `fetch` with
 * it. See server/http/node-http.ts.
 */
const httpAlone: Plugin = {
  name: 'http-alone',
  enforce: 'pre',
  resolveId: (id) => (/^(node:)?http$/.test(id) ? '\0http.cjs' : undefined),
  load: (id) => (id === '\0http.cjs' ? "module.exports = process.getBuiltinModule('node:http');" : undefined),
};

/**
 * Lets the modules that tests load themselves start their threads from the bundles. Vitest keeps what it has transformed,
 * so the name of their folder is read when the module runs.
 */
export function threadsOfBundles(): Plugin {
  return {
    name: 'threads-of-bundles',
    enforce: 'pre',
    transform(code, id) {
      if (!/\/(server|packages)\//.test(id) || !code.includes(startsThread)) return;
      const place = besideBundles('', id);
      const made = `(process.env.TEST_BUNDLES ? 'file://' + process.env.TEST_BUNDLES + '${place}' : import.meta.url)`;
      return { code: code.replaceAll('import.meta.url', made), map: null };
    },
  };
}

/**
 * Makes the bundles, unless those of these sources are there. `startChild` starts them from then on, in the processes that
 * this one starts, too.
 */
export default async function makeBundles(): Promise<void> {
  const bundles = bundlesOf();
  process.env.TEST_BUNDLES = bundles;
  if (existsSync(bundles)) return;
  const { build } = await import('vite');
  mkdirSync(folder, { recursive: true });
  const made = mkdtempSync(join(folder, 'new-'));
  // Some tests run a program as another user.
  chmodSync(made, 0o755);
  const bundle = (sources: readonly string[]) =>
    build({
      configFile: false,
      root,
      logLevel: 'warn',
      plugins: [places(bundles), httpAlone],
      ssr: { noExternal: true },
      build: {
        ssr: true,
        target: 'esnext',
        minify: false,
        outDir: made,
        emptyOutDir: false,
        rolldownOptions: {
          input: Object.fromEntries(
            sources.map((source) => [source.replace(/\.ts$/, ''), join(root, source)]),
          ),
          output: {
            entryFileNames: '[name].mjs',
            chunkFileNames: 'chunks/[name]-[hash].mjs',
            ...(sources.length === 1 && { codeSplitting: false }),
          },
        },
      },
    });
  await bundle(programs);
  for (const thread of historyThreads) await bundle([thread]);
  const isOld = (path: string) => statSync(path).mtimeMs < Date.now() - 24 * 3600_000;
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
