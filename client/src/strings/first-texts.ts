import first from 'virtual:texts/first';
import { bestLanguage, wantedLanguage } from './languages.ts';
import type { OwnersTexts } from './own-texts.ts';

/** Gives one of the few texts that are there before a language has been loaded. */
export type FirstTexts = (key: string, n?: number) => string;

/** @param changed - is called when the owner's texts have come */
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
  return (key, n = 0) => {
    const lang = bestLanguage(wantedLanguage(element), known);
    // The value may be no text: an owner may give anything, and an object has properties that are named like languages.
    const found: unknown[] = [known[key]?.[lang], first[key]?.[lang], first[key]?.en];
    const text = found.find((one) => typeof one === 'string') ?? '';
    return text.replace('{n}', String(n));
  };
}
