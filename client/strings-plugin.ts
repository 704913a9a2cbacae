import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const file = fileURLToPath(new URL('src/strings.json', import.meta.url));
const start = 'virtual:texts/';
/** What is needed before a language has been loaded. */
const first = /^(launcher\.|common\.again$|rooms\.unread$)/;

/** Of what is not in the client yet: other pages, files, reactions, mentions, moderation. */
const later =
  /^(page|file|view|react|emoji|mention|format|notify|report|reports|mute|ban|block)\.|^(rooms\.last(Picture|File)|settings\.(write|slow)|composer\.(readOnly|slow|muted|mutedForGood|reason|blockedDirect)|say\.(react|mention|uploaded))/;

type All = Record<string, Record<string, string>>;

/** One language of all texts. */
export function textsIn(lang: string, all: All): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, by]) => (by[lang] === undefined ? [] : [[key, by[lang]]])),
  );
}

/** Makes a module of each language, `virtual:texts/en`, and one of the few texts of all languages that come first. */
export function strings(): Plugin {
  return {
    name: 'strings',
    resolveId: (id) => (id.startsWith(start) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${start}`)) return undefined;
      this.addWatchFile(file);
      const all = JSON.parse(readFileSync(file, 'utf8')) as All;
      const lang = id.slice(start.length + 1);
      const texts =
        lang === 'first'
          ? Object.fromEntries(Object.entries(all).filter(([key]) => first.test(key)))
          : Object.fromEntries(Object.entries(textsIn(lang, all)).filter(([key]) => !later.test(key)));
      return `export default ${JSON.stringify(texts)}`;
    },
  };
}
