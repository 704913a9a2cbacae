import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readTranslations, textsOfPlugin } from './wordpress-plugin.ts';

const root = join(import.meta.dirname, '..');

/** The folders with a file of texts by key for each language. The English files have all keys. */
export const textFolders = ['client/src/strings/languages', 'server/notify/languages', 'android/app/texts'];
/** The folder with a file of translations by English text for each other language. */
const pluginFolder = 'wordpress/languages';

type TextsByKey = Record<string, string>;

export const textsIn = (folder: string, lang: string): TextsByKey =>
  JSON.parse(readFileSync(join(root, folder, `${lang}.json`), 'utf8'));

/** Returns the translations of the plugin by English text. The key '' has the header of the file. */
export const translationsOf = (locale: string): Map<string, string> =>
  readTranslations(readFileSync(join(root, pluginFolder, `php-session-chat-${locale}.po`), 'utf8'));

const namesIn = (folder: string, extension: string) =>
  globSync(`*${extension}`, { cwd: join(root, folder) })
    .map((file) => basename(file, extension))
    .sort();

/** The tags of the languages in a folder. */
export const languagesIn = (folder: string) => namesIn(folder, '.json');
export const pluginLocales = namesIn(pluginFolder, '.po').map((name) =>
  name.replace('php-session-chat-', ''),
);

/** Returns the key without its plural form if the text has a number, otherwise undefined. */
export function countedKey(key: string, english: TextsByKey): string | undefined {
  const counted = key.replace(/\.(?:zero|one|two|few|many|other)$/, '');
  return english[`${counted}.other`]?.includes('{n}') && counted !== key ? counted : undefined;
}

/** Returns the plural forms of a language, and some numbers of each. */
export function formsOf(lang: string): Map<string, number[]> {
  const rules = new Intl.PluralRules(lang);
  const numbers = Array.from({ length: 200 }, (_, n) => n);
  // Missing forms are replaced by `.other`, so each text has it.
  return new Map([['other', []], ...Map.groupBy(numbers, (n) => rules.select(n))]);
}

/** Returns the keys that the texts of a language need. */
export function neededKeys(lang: string, english: TextsByKey): Set<string> {
  const forms = [...formsOf(lang).keys()];
  return new Set(
    Object.keys(english).flatMap((key) => {
      const counted = countedKey(key, english);
      return counted === undefined ? key : forms.map((form) => `${counted}.${form}`);
    }),
  );
}

/** Lists all texts that are not translated, and those translations of the plugin whose English text has changed. */
export function missingTexts(): string[] {
  const languages = new Map<string, string[]>();
  const add = (text: string, lang: string) => languages.set(text, [...(languages.get(text) ?? []), lang]);
  for (const folder of textFolders) {
    const english = textsIn(folder, 'en');
    for (const lang of languagesIn(folder)) {
      const texts = textsIn(folder, lang);
      for (const key of neededKeys(lang, english)) if (!(key in texts)) add(`${folder}: ${key}`, lang);
    }
  }
  const ofPlugin = textsOfPlugin();
  for (const locale of pluginLocales) {
    const translated = new Set(translationsOf(locale).keys());
    for (const text of ofPlugin.difference(translated)) add(`${pluginFolder}: ${readable(text)}`, locale);
    for (const text of translated.difference(ofPlugin))
      if (text !== '') add(`${pluginFolder}, no longer used: ${readable(text)}`, locale);
  }
  return [...languages].map(([text, each]) => `${text} (${each.join(', ')})`);
}

const readable = (text: string) => text.replace('\x04', ': ').replace('\0', ' / ');

if (import.meta.main) process.stdout.write(missingTexts().join('\n'));
