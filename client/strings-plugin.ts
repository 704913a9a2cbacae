import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const folder = fileURLToPath(new URL('src/strings/languages/', import.meta.url));
const module = 'virtual:texts/first';

/** The keys of the texts that a page shows before it has loaded a language. */
const first = /^(launcher\.|common\.again$|rooms\.unread$)/;

/** Key prefixes of texts that only the moderators' page shows, or only the chat. */
const ofModerators = /^mod\./;
const ofChat =
  /^(block|copyLink|edit|emoji|event|format|invite|join|later|leave|media|mention|notify|offer|owner|pin|poll|prefs|preview|push|ready|refused|replies|say|seen|typing|view)\./;

/** The tags of the client's languages. Each has one file of texts. */
export const languages = readdirSync(folder).map((file) => basename(file, '.json'));

export function textsIn(lang: string): Record<string, string> {
  return JSON.parse(readFileSync(`${folder}${lang}.json`, 'utf8')) as Record<string, string>;
}

/** Returns the texts of a language, in English if they are not translated yet. */
function completeIn(lang: string): Record<string, string> {
  const texts = textsIn(lang);
  const isThere = (key: string) => key in texts || key.replace(/\.one$/, '.other') in texts;
  const english = Object.entries(textsIn('en')).filter(([key]) => !isThere(key));
  return { ...Object.fromEntries(english), ...texts };
}

/** Returns the texts of a language that the page shows. */
function forPage(page: 'chat' | 'moderate' | 'both', lang: string): Record<string, string> {
  const left = { chat: ofModerators, moderate: ofChat, both: /^$/ }[page];
  return Object.fromEntries(Object.entries(completeIn(lang)).filter(([key]) => !left.test(key)));
}

function firstIn(lang: string): Record<string, string> {
  return Object.fromEntries(Object.entries(completeIn(lang)).filter(([key]) => first.test(key)));
}

/**
 * Provides the texts of all languages. Texts that are not translated yet are added in English.
 * `virtual:texts/first-en` and `virtual:texts/first` contain the first texts, in English and in all other languages.
 * All language files share one hash, so the first script can compute their addresses. A list of addresses would be too
 * large for the script, and as a separate file it would cost a request.
 */
export function strings(page: 'chat' | 'moderate'): Plugin {
  let shown: typeof page | 'both' = page;
  const hash = createHash('sha256')
    .update(JSON.stringify(languages.map((lang) => forPage(page, lang))))
    .digest('base64url')
    .slice(0, 6);
  const fileName = (lang: string) => `assets/${page === 'chat' ? '' : 'moderate/'}${lang}-${hash}.js`;
  return {
    name: 'strings',
    buildStart() {
      if (shown === 'both') return;
      for (const lang of languages)
        this.emitFile({
          type: 'chunk',
          id: `${folder}${lang}.json`,
          fileName: fileName(lang),
          preserveSignature: 'strict',
        });
    },
    transform(code, id) {
      if (shown === 'both' || !id.endsWith('/strings/languages.ts')) return undefined;
      // The path is relative to the page's script.
      const path = page === 'chat' ? fileName('$1') : `$1-${hash}.js`;
      return { code: code.replace(/\.\/languages\/(\$\{\w+\})\.json/, `./${path}`), map: null };
    },
    // `npm run dev` serves both pages.
    configResolved({ command }) {
      if (command === 'serve') shown = 'both';
    },
    resolveId: (id) => (id.startsWith(module) ? `\0${id}` : undefined),
    load(id) {
      const lang = id.startsWith(folder) ? basename(id, '.json') : undefined;
      if (lang === undefined && !id.startsWith(`\0${module}`)) return undefined;
      for (const one of languages) this.addWatchFile(`${folder}${one}.json`);
      if (lang !== undefined) return JSON.stringify(forPage(shown, lang));
      const others = languages.filter((one) => one !== 'en').map((one) => [one, firstIn(one)]);
      const texts = id.endsWith('-en') ? firstIn('en') : Object.fromEntries(others);
      return `export default ${JSON.stringify(texts)}`;
    },
  };
}
