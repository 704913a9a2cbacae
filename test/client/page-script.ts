import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import type { Plugin } from 'vite';
import { sharedFolders } from '../../scripts/client-build.mjs';
import { sourcesKey } from '../helpers/sources-key.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'node_modules/.cache/page-script');
/** The entry of the script, with both elements, and the English words of emoji. */
const modules: Record<string, string> = {
  'virtual:page': `import '${root}client/src/php-chat.ts'; import '${root}client/src/moderate.ts';`,
  'virtual:emoji/words': "export default { en: () => import('virtual:emoji/words-en') };",
};
/** Makes the build one script with fewer languages, because a jsdom window cannot load modules. */
const oneScript: Plugin = {
  name: 'one-script',
  enforce: 'pre',
  resolveId: (id) => (id in modules ? `\0page ${id}` : undefined),
  load: (id) => modules[id.replace('\0page ', '')],
  transform: (code, id) =>
    id.endsWith('/strings/languages.ts')
      ? code.replace(
          /import\(.*`\.\/languages\/.*`\)/,
          // biome-ignore lint/suspicious/noTemplateCurlyInString: code.
          "import.meta.glob('./languages/{ar,de,en}.json')[`./languages/${lang}.json`]()",
        )
      : undefined,
};

let script: Promise<Script> | undefined;

/** Returns the client's script for jsdom windows, built once per version of the sources. */
export function pageScript(): Promise<Script> {
  script ??= make();
  return script;
}

async function make(): Promise<Script> {
  const sources = /^(?!client\/dist).*\.(ts|tsx|mjs|css|json)$/;
  const files = ['package-lock.json', 'test/client/page-script.ts'];
  const file = join(folder, `${sourcesKey(['client', ...sharedFolders], sources, files)}.js`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    const made = mkdtempSync(join(folder, 'new-'));
    const [{ build }, { shared }, { emoji }, { strings }] = await Promise.all([
      import('vite'),
      import('../../client/build-settings.ts'),
      import('../../client/emoji-plugin.ts'),
      import('../../client/strings-plugin.ts'),
    ]);
    const texts = strings('chat');
    // Like `npm run dev`, loads each language as one file.
    (texts.configResolved as (config: object) => void)({ command: 'serve' });
    await build({
      ...shared,
      configFile: false,
      root: join(root, 'client'),
      logLevel: 'error',
      // Vitest's mode would add the source position to each element at each render.
      oxc: { ...shared.oxc, jsx: { ...shared.oxc.jsx, development: false } },
      define: { 'import.meta.url': 'location.href' },
      plugins: [oneScript, texts, emoji()],
      build: {
        ...shared.build,
        outDir: made,
        minify: false,
        rolldownOptions: {
          input: 'virtual:page',
          output: { format: 'iife', entryFileNames: 'page.js', codeSplitting: false },
        },
      },
    });
    for (const old of readdirSync(folder))
      if (old.endsWith('.js')) rmSync(join(folder, old), { force: true });
    renameSync(join(made, 'page.js'), file);
    rmSync(made, { recursive: true });
  }
  return new Script(readFileSync(file, 'utf8'), { filename: file });
}
