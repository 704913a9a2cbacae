import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../npm-packages.mjs';
import { app, filesIn } from './libraries.mjs';

/** The browser client's texts. */
const languages = join(root, 'client', 'src', 'strings', 'languages');

/**
 * Android's qualifiers of languages, if they differ from the browser client's names.
 * @type {Record<string, string>}
 */
const qualifiers = { en: '', he: '-iw', 'pt-BR': '-pt-rBR', 'zh-Hans': '-b+zh+Hans' };

/**
 * Writes the browser client's texts as Android resources, in all languages. `msg.sent` becomes `R.string.msg_sent`.
 * Texts that the app does not use are left out.
 * @param {string} res the folder of the resources
 */
export function writeStrings(res) {
  /** @param {string} file @returns {Record<string, string>} */
  const read = (file) => JSON.parse(readFileSync(join(languages, file), 'utf8'));
  const english = read('en.json');
  const keys = usedIn(join(app, 'src'), english);
  for (const file of readdirSync(languages)) {
    const language = file.replace('.json', '');
    const folder = join(res, `values${qualifiers[language] ?? `-${language}`}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'texts.xml'), toResources(keys, read(file), english));
  }
}

/** @param {string} key */
const resourceName = (key) => key.replaceAll('.', '_');

/** @param {string} sources @param {Record<string, string>} english */
function usedIn(sources, english) {
  const code = filesIn(sources, /\.kt$/)
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const used = new Set([...code.matchAll(/\bR\.string\.(\w+)/g)].map(([, name]) => name));
  return Object.keys(english).filter((key) => used.has(resourceName(key)));
}

/**
 * @param {string[]} keys
 * @param {Record<string, string>} texts
 * @param {Record<string, string>} english
 */
function toResources(keys, texts, english) {
  const lines = keys.map((key) => {
    const text = escapeText(numberPlaceholders(texts[key], english[key]));
    return `  <string name="${resourceName(key)}">${text}</string>\n`;
  });
  return `<?xml version="1.0" encoding="utf-8"?>\n<resources>\n${lines.join('')}</resources>\n`;
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

/** @param {string} text */
const escapeText = (text) =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/['"\\@?]/g, '\\$&');
