import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Plugin, Rolldown } from 'vite';

/**
 * Bundles the server, because loading 700 files takes most of a start. The packages contain the bundles, and tests
 * start them. In a checkout, the commands run the sources.
 */
const root = join(import.meta.dirname, '..');

/** The command, which loads each subcommand on demand. */
export const command = 'server/command/main.ts';

/** The threads of a history in SQLite. */
export const historyThreads = [
  'server/history/sqlite/writer.ts',
  'server/history/sqlite/reader.ts',
  'server/history/sqlite/searcher.ts',
];

/** Other threads and processes that the server starts by their file names. */
export const otherPrograms = [
  'server/files/examine.ts',
  'server/limits/confined.ts',
  'server/limits/enter-sandbox.ts',
  'server/mail/replies/read-mail.ts',
  'server/previews/fetch.ts',
  'packages/php-session/src/large-sessions-thread.ts',
  'packages/php-session/src/configuration/reader-thread.ts',
  'packages/php-session/src/stores/sql/sqlite-search-thread.ts',
];

/** Modules that start a program with their own file extension contain this code. */
export const startsProgram = 'extname(import.meta.url)';

export const isOwnSource = (id: string): boolean =>
  /\/(server|packages)\//.test(id) && !id.includes('node_modules');

/**
 * Replaces `import.meta.url`, because modules find their files by it, and a bundle is in another folder.
 * @param urlOf returns an expression for the URL of a module
 */
function places(urlOf: (id: string, code: string) => string): Plugin {
  return {
    name: 'places',
    enforce: 'pre',
    transform(code, id) {
      if (!code.includes('import.meta.url') || !isOwnSource(id)) return;
      for (const [, name] of code.matchAll(/`\.\/([\w-]+)\$\{extname\(/g)) {
        const started = join(dirname(relative(root, id)), `${name}.ts`);
        if (![...otherPrograms, ...historyThreads].includes(started))
          throw new Error(`server-bundles.ts does not name ${started}, which ${id} starts`);
      }
      return { code: code.replaceAll('import.meta.url', urlOf(id, code)), map: null };
    },
  };
}

/**
 * Requires Node's `http`. If a bundle imported it, Node would also load its client for `fetch`: see
 * server/http/node-http.ts.
 */
const requireHttp: Plugin = {
  name: 'require-http',
  enforce: 'pre',
  resolveId: (id) => (/^(node:)?http$/.test(id) ? '\0http.cjs' : undefined),
  load: (id) => (id === '\0http.cjs' ? "module.exports = process.getBuiltinModule('node:http');" : undefined),
};

/**
 * Escapes characters outside ASCII, which only strings and regular expressions contain. V8 needs twice the memory for a
 * source with characters outside Latin-1.
 */
const ascii: Plugin = {
  name: 'ascii',
  generateBundle(_, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type !== 'chunk') continue;
      file.code = file.code.replace(
        /[\u0080-\uffff]/g,
        (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
    }
  },
};

interface Options {
  /** The folder for the bundles. In it, they have the same paths as their sources. */
  outDir: string;
  /** The extension of the bundles. A `cjs` exports a function that runs the program, with `require` as its parameter. */
  extension: 'js' | 'mjs' | 'cjs';
  /** The folder for chunks. */
  chunks: string;
  /** Returns an expression for the URL of a module. */
  urlOf: (id: string, code: string) => string;
  plugins?: readonly Plugin[];
}

/**
 * Bundles programs. Code that several of them import becomes a chunk.
 * @param sources paths in the checkout
 * @returns the folders of the packages in the bundles
 */
export async function bundle(
  sources: readonly string[],
  { outDir, extension, chunks, urlOf, plugins = [] }: Options,
): Promise<Set<string>> {
  const { build } = await import('vite');
  const built = await build({
    configFile: false,
    root,
    logLevel: 'warn',
    plugins: [...plugins, places(urlOf), requireHttp, ascii],
    // sharp loads WebAssembly from a file next to its own.
    ssr: { noExternal: true, external: ['sharp'] },
    build: {
      ssr: true,
      target: 'esnext',
      minify: false,
      outDir,
      emptyOutDir: false,
      rolldownOptions: {
        input: Object.fromEntries(sources.map((source) => [source.replace(/\.ts$/, ''), join(root, source)])),
        output: {
          comments: false,
          ...(extension === 'cjs' && {
            format: 'cjs',
            banner: 'module.exports = (require) => {',
            footer: '};',
          }),
          entryFileNames: `[name].${extension}`,
          chunkFileNames: `${chunks}/[name]-[hash].${extension}`,
          ...(sources.length === 1 && sources[0] !== command && { codeSplitting: false }),
        },
      },
    },
  });
  const modules = (built as Rolldown.RolldownOutput).output.flatMap((file) =>
    file.type === 'chunk' ? file.moduleIds : [],
  );
  return new Set(modules.flatMap((id) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []));
}

/** Builds the server of a release: its files, and a bundle for each program without the code of other programs. */
export async function bundleRelease(outDir: string): Promise<void> {
  const packages = new Set<string>();
  for (const source of [command, ...historyThreads, ...otherPrograms]) {
    // A bundle and its chunks are in the same folder, so the same relative path works in all of them.
    const folder = dirname(source);
    const urlOf = (id: string) => {
      const path = relative(folder, relative(root, id)).replace(/\.ts$/, '.js');
      return `new URL(${JSON.stringify(path)}, import.meta.url).href`;
    };
    const options = { outDir, extension: 'js', chunks: folder, urlOf } as const;
    for (const bundled of await bundle([source], options)) packages.add(bundled);
  }
  cpSync(join(root, 'server/history/migrations'), join(outDir, 'server/history/migrations'), {
    recursive: true,
  });
  cpSync(join(root, 'server/notify/languages'), join(outDir, 'server/notify/languages'), { recursive: true });
  writeFileSync(join(outDir, 'server/licenses.json'), JSON.stringify([...packages].sort().map(licenseOf)));
}

/** Returns the notice that the licence of a package requires, in the format of the client build's list. */
function licenseOf(folder: string) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const { name, version, license: identifier, author = `${name} contributors` } = manifest;
  const files = readdirSync(folder).filter((entry) => /^licen[sc]e/i.test(entry));
  // Packages with a choice of licences have a file for each, such as LICENSE.MIT.
  const file = files.find((entry) => /mit/i.test(entry)) ?? files[0];
  if (file !== undefined)
    return { name, version, identifier, text: readFileSync(join(folder, file), 'utf8') };
  // Some packages name the MIT License, but do not contain its text.
  if (identifier !== 'MIT') throw new Error(`${name} has no text of its licence ${identifier}`);
  const text = readFileSync(join(root, 'LICENSE'), 'utf8').replace(
    /^Copyright .*$/m,
    `Copyright (c) ${author}`,
  );
  return { name, version, identifier, text };
}

if (import.meta.main) await bundleRelease(process.argv[2] as string);
