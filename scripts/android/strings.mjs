import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withEnglish } from '../../server/text/with-english.mjs';
import { root } from '../npm-packages.mjs';
import { app, filesIn } from './libraries.mjs';

/** The browser client's texts, and those that only the app uses. */
const languages = [join(root, 'client', 'src', 'strings', 'languages'), join(app, 'texts')];

/**
 * Android's qualifiers of languages, if they differ from the browser client's names.
 * @type {Record<string, string>}
 */
const qualifiers = { en: '', he: '-iw', 'pt-BR': '-pt-rBR', 'zh-Hans': '-b+zh+Hans' };

/**
 * Writes the texts as Android resources, in all languages, in English if they are not translated yet. `msg.sent` becomes
 * `R.string.msg_sent`, and the plural forms `replies.count.one` and `.other` become `R.plurals.replies_count`. Texts that
 * the app does not use are left out. Also writes the list of languages.
 * @param {string} res the folder of the resources
 */
export function writeStrings(res) {
  /** @param {string} file @returns {Record<string, string>} */
  const read = (file) =>
    Object.assign({}, ...languages.map((folder) => JSON.parse(readFileSync(join(folder, file), 'utf8'))));
  const english = read('en.json');
  const code = filesIn(join(app, 'src'), /\.kt$/)
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const keys = usedIn(code, 'string', Object.keys(english));
  const plurals = usedIn(code, 'plurals', pluralKeys(english));
  for (const file of readdirSync(join(app, 'texts'))) {
    const language = file.replace('.json', '');
    const folder = join(res, `values${qualifiers[language] ?? `-${language}`}`);
    mkdirSync(folder, { recursive: true });
    const texts = withEnglish(read(file), english);
    const lines = [
      ...keys.map(
        (key) => `<string name="${resourceName(key)}">${toText(texts[key], english[key])}</string>`,
      ),
      ...plurals.map((key) => toPlural(key, texts, english)),
    ].map((line) => `  ${line}\n`);
    const xml = `<?xml version="1.0" encoding="utf-8"?>\n<resources>\n${lines.join('')}</resources>\n`;
    writeFileSync(join(folder, 'texts.xml'), xml);
  }
  writeLanguages(res);
}

/** Writes the languages for Android's settings, where users choose one for this app. @param {string} res */
function writeLanguages(res) {
  const names = readdirSync(join(app, 'texts')).map((file) => file.replace('.json', ''));
  const locales = names.map((name) => `  <locale android:name="${name}"/>\n`).join('');
  const namespace = 'xmlns:android="http://schemas.android.com/apk/res/android"';
  const xml = `<?xml version="1.0" encoding="utf-8"?>\n<locale-config ${namespace}>\n${locales}</locale-config>\n`;
  const folder = join(res, 'xml');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'languages.xml'), xml);
}

/** @param {string} key */
const resourceName = (key) => key.replaceAll('.', '_');

/** @param {string} code @param {'string' | 'plurals'} type @param {string[]} keys */
function usedIn(code, type, keys) {
  const used = new Set(
    [...code.matchAll(new RegExp(`\\bR\\.${type}\\.(\\w+)`, 'g'))].map(([, name]) => name),
  );
  return keys.filter((key) => used.has(resourceName(key)));
}

/** @param {Record<string, string>} english */
const pluralKeys = (english) =>
  Object.keys(english).flatMap((key) => (key.endsWith('.other') ? [key.slice(0, -'.other'.length)] : []));

/** @param {string} key @param {Record<string, string>} texts @param {Record<string, string>} english */
function toPlural(key, texts, english) {
  const items = ['zero', 'one', 'two', 'few', 'many', 'other'].flatMap((quantity) => {
    const text = texts[`${key}.${quantity}`];
    if (text === undefined) return [];
    return `<item quantity="${quantity}">${toText(text, english[`${key}.other`])}</item>`;
  });
  return `<plurals name="${resourceName(key)}">${items.join('')}</plurals>`;
}

/**
 * Replaces `{name}` by `%1$s`. The numbers follow the order in the English text.
 * @param {string} text
 * @param {string} english
 */
function numberPlaceholders(text, english) {
  const names = [...english.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  return text.replace(/\{(\w+)\}/g, (_, name) => `%${names.indexOf(name) + 1}$s`);
}

/** @param {string} text @param {string} english */
const toText = (text, english) => literal(numberPlaceholders(text, english).replaceAll('&', '&amp;'));

/** Makes Android show all signs. @param {string} text XML that may also have `<` */
const literal = (text) => text.replaceAll('<', '&lt;').replace(/['"\\@?]/g, '\\$&');

/**
 * Makes Android show each value as it is written, unless it has escapes or quotation marks for Android.
 * @param {string} site the text of `site.xml`
 */
export const withLiteralValues = (site) =>
  site.replace(/(<string\b[^>]*(?<!\/)>)(.*?)(?=<\/string>)/gs, (_, tag, value) =>
    /\\|^".*"$/s.test(value) ? tag + value : tag + literal(value.replace(/&(?!#?\w+;)/g, '&amp;')),
  );
