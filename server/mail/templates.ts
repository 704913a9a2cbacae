import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import mustache from 'mustache';
import { textOn } from '../wire/branding.ts';
import { htmlOf, type MailSite } from './html.ts';
import type { Letter } from './letter.ts';
import { plainOf } from './plain.ts';

/** Renders the content of a mail. */
export type WriteMail = (
  letter: Letter,
  site: MailSite,
  language: Language,
) => { text: string; html: string };

interface Language {
  lang: string;
  direction: 'ltr' | 'rtl';
}

/** Maximum bytes of a template. */
const largest = 256 * 1024;

export const write: WriteMail = (letter, site, language) => ({
  text: plainOf(letter),
  html: htmlOf(letter, site, language),
});

/**
 * Reads the operator's Mustache templates, `mail.html` and `mail.txt`. Each replaces the built-in one. Their variables
 * are the fields of `Letter`, `site`, `accent`, `onAccent`, `logo`, `lang` and `direction`.
 *
 * @throws Error that names the invalid file and the reason
 */
export function readTemplates(folder: string): WriteMail {
  const html = read(join(folder, 'mail.html'));
  const text = read(join(folder, 'mail.txt'));
  if (html === undefined && text === undefined)
    throw new Error(`${folder} contains neither mail.html nor mail.txt`);
  return (letter, site, language) => {
    const { name, accent = usualAccent, logo } = site;
    const look = { site: name, accent, onAccent: textOn(accent), logo: logo?.address ?? '' };
    const view = { ...letter, ...look, ...language };
    return {
      text: text === undefined ? plainOf(letter) : mustache.render(text, view, {}, { escape: String }),
      html: html === undefined ? htmlOf(letter, site, language) : mustache.render(html, view),
    };
  };
}

/** Returns undefined if the file does not exist. */
function read(path: string): string | undefined {
  let template: string;
  try {
    template = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new Error(`${path} cannot be read (${code})`);
  }
  if (Buffer.byteLength(template) > largest) throw new Error(`${path} is larger than ${largest / 1024} KB`);
  let made: string;
  try {
    made = mustache.render(template, { stop: { address: stopMark } });
  } catch (error) {
    throw new Error(`${path} is not a valid template: ${(error as Error).message}`);
  }
  // Readers must be able to stop mails, also in mail programs without an unsubscribe button.
  if (!made.includes(stopMark)) throw new Error(`${path} lacks {{stop.address}}, the link that stops mails`);
  return template;
}

/** The colour of mails without CHAT_ACCENT. */
const usualAccent = '#3f4fb0';

const stopMark = 'the-link-that-stops-mails';
