import english from 'virtual:texts/first-en';
import { bestLanguage, wantedLanguage } from './languages.ts';
import type { OwnersTexts } from './own-texts.ts';

/** Returns one of the few texts that are available before a language is loaded. */
export type FirstTexts = (key: string, n?: number) => string;

/** The first texts in all languages except English. Loaded when an element needs another language. */
let ours: Record<string, Record<string, string>> = {};

/** @param changed - called when the owner's texts, or ours in another language than English, are loaded */
export function firstTexts(
  element: Element,
  owners: OwnersTexts | string | undefined,
  changed: () => void,
): FirstTexts {
  let known: OwnersTexts = {};
  const read = async (address: string) => {
    const their = await import('./owners-texts.ts');
    known = await their.ownersFile(address);
    changed();
  };
  if (typeof owners === 'string') {
    void read(owners);
  } else if (owners !== undefined) {
    known = owners;
  }
  const load = async () => {
    const first = await import('virtual:texts/first');
    ours = first.default;
    changed();
  };
  const wanted = bestLanguage(wantedLanguage(element));
  // If they cannot be loaded, the texts stay English.
  if (wanted !== 'en' && !(wanted in ours)) load().catch(() => {});
  return (key, n = 0) => {
    const lang = bestLanguage(wantedLanguage(element), known);
    // A value may not be a string, because owners may provide anything, and objects have inherited properties.
    const found: unknown[] = [known[key]?.[lang], ours[lang]?.[key], english[key]];
    const text = found.find((one) => typeof one === 'string') ?? '';
    return text.replace('{n}', String(n));
  };
}
