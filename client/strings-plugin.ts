import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { withEnglish } from '../server/text/with-english.mjs';

const folder = fileURLToPath(new URL('src/strings/languages/', import.meta.url));
const module = 'virtual:texts/';

/** The keys of the texts that a page shows before it has loaded a language. */
const first = /^(launcher\.|common\.again$|rooms\.unread$)/;

/** The module that loads late code together with the late texts. */
const latePartsModule = /\/src\/views\/late-parts\.ts$/;

/** Stands for the hash of the texts until all modules are rendered. */
const placeholder = '__TEXTS__';

type TextsByKey = Record<string, string>;

/** The tags of the client's languages. Each has one file of texts. */
export const languages = readdirSync(folder).map((file) => basename(file, '.json'));

export function textsIn(lang: string): TextsByKey {
  return JSON.parse(readFileSync(`${folder}${lang}.json`, 'utf8')) as TextsByKey;
}

/** Returns the texts of a language, in English if they are not translated yet. */
const completeIn = (lang: string): TextsByKey => withEnglish(textsIn(lang), textsIn('en'));

const chosen = (texts: TextsByKey, isChosen: (key: string) => boolean): TextsByKey =>
  Object.fromEntries(Object.entries(texts).filter(([key]) => isChosen(key)));

const firstIn = (lang: string) => chosen(completeIn(lang), (key) => first.test(key));

const withoutForm = (key: string) => key.replace(/\.(?:zero|one|two|few|many|other)$/, '');

/** Returns a function that finds whether code uses a key, the key without its plural form, or a prefix of it. */
function naming(code: string): (key: string) => boolean {
  const names = new Set(Array.from(code.matchAll(/["'`]([\w.]+)["'`]/g), ([, name]) => name));
  const starts = Array.from(code.matchAll(/`([\w.]+\.)\$\{/g), ([, start = '']) => start);
  return (key) =>
    names.has(key) || names.has(withoutForm(key)) || starts.some((start) => key.startsWith(start));
}

/**
 * Provides the texts of all languages. Texts that are not translated yet are added in English.
 * `virtual:texts/first-en` and `virtual:texts/first` contain the first texts, in English and in all other languages,
 * and `virtual:texts/keys` the keys of all texts.
 * A language has two files: the texts that the code before the first messages names, and the texts that only the late
 * code names, which `views/late-parts.ts` loads. All files share one hash, so the first script can compute their
 * addresses. A list of addresses would be too large for the script, and as a separate file it would cost a request.
 */
export function strings(page: 'chat' | 'moderate'): Plugin {
  let isServed = false;
  let files: { fileName: string; source: string }[] = [];
  return {
    name: 'strings',
    transform(code, id) {
      if (!id.endsWith('/strings/languages.ts')) return undefined;
      // The path is relative to the page's script. `npm run dev` has one file for each language.
      const path = `./${page === 'chat' ? 'assets/' : ''}$1$2-${placeholder}.js`;
      const address = isServed ? './languages/$2.json' : path;
      return { code: code.replace(/\.\/languages\/(\$\{\w+\})(\$\{\w+\})\.json/, address), map: null };
    },
    configResolved({ command }) {
      isServed = command === 'serve';
    },
    resolveId: (id) => (id.startsWith(module) ? `\0${id}` : undefined),
    load(id) {
      const lang = id.startsWith(folder) ? basename(id, '.json') : undefined;
      if (lang === undefined && !id.startsWith(`\0${module}`)) return undefined;
      for (const one of languages) this.addWatchFile(`${folder}${one}.json`);
      if (lang !== undefined) return JSON.stringify(completeIn(lang));
      const others = languages.filter((one) => one !== 'en').map((one) => [one, firstIn(one)]);
      const texts = id.endsWith('keys')
        ? Object.keys(textsIn('en'))
        : id.endsWith('-en')
          ? firstIn('en')
          : Object.fromEntries(others);
      return `export default ${JSON.stringify(texts)}`;
    },
    renderChunk(code, _chunk, _options, { chunks }) {
      if (!code.includes(placeholder)) return undefined;
      const early = new Set<string>();
      const walk = (id: string) => {
        const info = this.getModuleInfo(id);
        if (info === null || early.has(id)) return;
        early.add(id);
        const later = latePartsModule.test(id) ? [] : info.dynamicallyImportedIds;
        for (const next of [...info.importedIds, ...later]) walk(next);
      };
      for (const id of this.getModuleIds()) if (this.getModuleInfo(id)?.isEntry) walk(id);
      const codes = { early: '', late: '' };
      for (const { modules } of Object.values(chunks))
        for (const [id, { code }] of Object.entries(modules))
          if (!id.startsWith(`\0${module}`)) codes[early.has(id) ? 'early' : 'late'] += `${code}\n`;
      const [isEarly, isLate] = [naming(codes.early), naming(codes.late)];
      const texts = languages.flatMap((lang) => {
        const all = completeIn(lang);
        const late = chosen(all, (key) => !isEarly(key) && isLate(key));
        return [
          { name: lang, by: chosen(all, isEarly) },
          { name: `late-${lang}`, by: late },
        ];
      });
      const hash = createHash('sha256').update(JSON.stringify(texts)).digest('base64url').slice(0, 6);
      const path = page === 'chat' ? 'assets/' : 'assets/moderate/';
      files = texts
        .filter(({ by }) => Object.keys(by).length > 0)
        .map(({ name, by }) => ({
          fileName: `${path}${name}-${hash}.js`,
          source: `export default${JSON.stringify(by)}`,
        }));
      return { code: code.replace(placeholder, hash), map: null };
    },
    generateBundle() {
      for (const file of files) this.emitFile({ type: 'asset', ...file });
    },
  };
}
