import english from 'virtual:texts/first-en';
import { bestLanguage, wantedLanguage } from './languages.ts';
import type { OwnersTexts } from './own-texts.ts';

/** Gives one of the few texts that are there before a language has been loaded. */
export type FirstTexts = (key: string, n?: number) => string;

/** The texts in the other languages, once an element of the page has wanted one of these. */
let ours: Record<string, Record<string, string>> = {};

/** @param changed - is called when the owner's texts have come, or ours in another language than English */
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
    ours = (await import('virtual:texts/first')).default;
    changed();
  };
  const wanted = bestLanguage(wantedLanguage(element));
  // English stays where they cannot be loaded.
  if (wanted !== 'en' && !(wanted in ours)) load().catch(() => {});
  return (key, n = 0) => {
    const lang = bestLanguage(wantedLanguage(element), known);
    // The value may be no text: an owner may give anything, and an object has properties that are named like languages.
    const found: unknown[] = [known[key]?.[lang], ours[lang]?.[key], english[key]];
    const text = found.find((one) => typeof one === 'string') ?? '';
    return text.replace('{n}', String(n));
  };
}
