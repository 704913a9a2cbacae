import type { Texts } from './language-texts.ts';
import type { OwnersTexts } from './own-texts.ts';
import type { LoadedTexts } from './owners-texts.ts';

/** Each language is one file, which is loaded only where it is shown. */
export const ours = [
  'ar',
  'de',
  'en',
  'es',
  'fr',
  'he',
  'it',
  'ja',
  'nl',
  'pl',
  'pt-BR',
  'ru',
  'tr',
  'uk',
  'zh-Hans',
];

/** The language wanted for an element: its own, that of the page around it, the browser's. */
export function wantedLanguage(element: Element): string {
  // A shadow tree has none of its own: then that of the document.
  const around = element.closest('[lang]:not([lang=""])') ?? document.documentElement;
  return around.getAttribute('lang') || navigator.language;
}

/** The best there is, by the exact tag or else by its first part; the owner's languages count like ours. */
export function bestLanguage(wanted: string, owners: OwnersTexts = {}): string {
  const same = (tag: string) => tag.toLowerCase().replaceAll('_', '-');
  const known = [...Object.values(owners).flatMap((by) => Object.keys(by ?? {})), ...ours];
  // Traditional Chinese readers are better served with simplified characters than with English.
  return (
    known.find((lang) => same(lang) === same(wanted)) ??
    known.find((lang) => base(lang) === base(wanted)) ??
    'en'
  );
}

/**
 * The texts to begin with.
 *
 * @param owners - the owner's texts, or where they are
 */
export async function loadTexts(
  wanted: string,
  owners: OwnersTexts | string | undefined,
): Promise<LoadedTexts> {
  const own = load(bestLanguage(wanted));
  if (owners === undefined) return { texts: await own };
  // A failure is reported where it is awaited.
  own.catch(() => {});
  const their = await import('./owners-texts.ts');
  return their.withOwners(owners, own, (by) => {
    const lang = bestLanguage(wanted, by);
    return [lang, load(bestLanguage(lang))];
  });
}

async function load(lang: string): Promise<Texts> {
  // The build puts the address of its files here (strings-plugin.ts).
  const file = await import(/* @vite-ignore */ `./languages/${lang}.json`);
  return { lang, by: file.default };
}

/** The first part of a tag. Code that is loaded at another time has its own: shared, it would be one more file to load. */
function base(tag: string): string | undefined {
  return tag.toLowerCase().split(/[-_]/)[0];
}
