import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const folder = fileURLToPath(new URL('src/strings/languages/', import.meta.url));
const module = 'virtual:texts/first';

/** The texts that a page shows before it has loaded a language. */
const first = /^(launcher\.|common\.again$|rooms\.unread$)/;

/** The languages of the client: each is one file of texts. */
export const languages = readdirSync(folder).map((file) => basename(file, '.json'));

export function textsIn(lang: string): Record<string, string> {
  return JSON.parse(readFileSync(`${folder}${lang}.json`, 'utf8')) as Record<string, string>;
}

/** Makes `virtual:texts/first`: these few texts in all languages, by key and then by language. */
export function strings(): Plugin {
  return {
    name: 'strings',
    resolveId: (id) => (id === module ? `\0${id}` : undefined),
    load(id) {
      if (id !== `\0${module}`) return undefined;
      const by: Record<string, Record<string, string>> = {};
      for (const lang of languages) {
        this.addWatchFile(`${folder}${lang}.json`);
        for (const [key, text] of Object.entries(textsIn(lang))) {
          if (first.test(key)) by[key] = { ...by[key], [lang]: text };
        }
      }
      return `export default ${JSON.stringify(by)}`;
    },
  };
}
