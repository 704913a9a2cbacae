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
    const own: unknown = known[key]?.[lang];
    const text = typeof own === 'string' ? own : (first[key]?.[lang] ?? first[key]?.en ?? '');
    return text.replace('{n}', String(n));
  };
}
