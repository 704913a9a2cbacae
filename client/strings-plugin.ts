import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const file = fileURLToPath(new URL('src/strings/strings.json', import.meta.url));
const start = 'virtual:texts/';
/** What is needed before a language has been loaded; some of it is only then. */
const first = /^(launcher\.|common\.again$|rooms\.unread$)/;

/** Of the launcher, and of what is not in the client yet: other pages, and some words of files and mentions. */
const missing =
  /^(launcher\.(?!close)|page\.|react\.count|rooms\.last(File|Picture)|people\.message|conn\.(origin|invalid|rate)|invite\.(person|placeholder)|error\.too_long|code\.label$|file\.picture$)/;

/** Of what opens later: menus, people, search, dialogs, the card of a new chat. */
const rest =
  /^(create|report|restricted|mute|ban\.|block|composer\.(readOnly|slow|muted|reason|noFiles|cancel|blocked)|direct|view|file\.(?!attach|tray)|empty\.(none|rooms|single)|invite|leave|settings|owner|ready|format|notify|delete|action\.(?!reply)|say|conn\.restored|error\.delete|edit\.(gone|clash|useOther)|people\.(?!heading)|react|mention|emoji|typing|search\.(?!none\.title|inRoom|open)|rooms\.(added|removed|deleted|invite|leave|members|settings|mute$|unmute|about)|common\.(cancel|close|save|copied|done|hide|show|copy))/;

type All = Record<string, Record<string, string>>;

/** One language of all texts. */
export function textsIn(lang: string, all: All): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, by]) => (by[lang] === undefined ? [] : [[key, by[lang]]])),
  );
}

function those<T>(texts: Record<string, T>, wanted: (key: string) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(texts).filter(([key]) => wanted(key)));
}

/**
 * Makes two modules of each language: `virtual:texts/en` has what the first messages are shown with,
 * `virtual:texts/rest-en` what opens later. `virtual:texts/first` has the few texts of all languages that come before, and
 * `virtual:texts/keys` the keys of all texts.
 */
export function strings(): Plugin {
  return {
    name: 'strings',
    resolveId: (id) => (id.startsWith(start) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${start}`)) return undefined;
      this.addWatchFile(file);
      const all = JSON.parse(readFileSync(file, 'utf8')) as All;
      if (id === `\0${start}keys`) return `export default ${JSON.stringify(Object.keys(all).join(' '))}`;
      const name = id.slice(start.length + 1);
      const lang = name.replace(/^rest-/, '');
      const texts =
        name === 'first'
          ? those(all, (key) => first.test(key))
          : those(textsIn(lang, all), (key) => !missing.test(key) && rest.test(key) === (name !== lang));
      return `export default ${JSON.stringify(texts)}`;
    },
  };
}
