import type { Texts } from './language-texts.ts';
import type { OwnersTexts } from './own-texts.ts';

/** The first render waits this long for the owner's file. */
const FILE_MS = 1000;
/** The maximum number of unknown keys in the warning. */
const MOST_SAID = 10;

const files = new Map<string, Promise<OwnersTexts>>();

/** Loads the owner's file, once for all elements of a page. Returns `{}` if it cannot be used. */
export function ownersFile(address: string): Promise<OwnersTexts> {
  const url = URL.parse(address, document.baseURI)?.href ?? address;
  let file = files.get(url);
  if (file === undefined) {
    file = read(url);
    files.set(url, file);
  }
  return file;
}

async function read(url: string): Promise<OwnersTexts> {
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return checked(await answer.json());
  } catch (error) {
    refuse(`the texts of ${url}`, error);
    files.delete(url);
    return {};
  }
}

/** Checks the texts that a script has set. */
async function given(texts: OwnersTexts): Promise<OwnersTexts> {
  try {
    return checked(texts);
  } catch (error) {
    refuse('the texts of `strings`', error);
    return {};
  }
}

const refuse = (what: string, error: unknown) =>
  console.warn(`php-chat: ${what} cannot be used: ${(error as Error).message}`);

function checked(texts: unknown): OwnersTexts {
  if (!areTexts(texts)) throw new Error('not an object of objects: by key, then by language');
  // The warning is only for the owner, so it is not awaited.
  void sayUnknown(texts).catch(() => {});
  return texts;
}

function areTexts(value: unknown): value is OwnersTexts {
  const isObject = (one: unknown) => typeof one === 'object' && one !== null && !Array.isArray(one);
  return isObject(value) && Object.values(value as object).every(isObject);
}

const said = new Set<string>();

/** Warns once about each key that we do not have. It is misspelt, or from another version. */
async function sayUnknown(texts: OwnersTexts): Promise<void> {
  const { default: keys } = await import('virtual:texts/keys');
  const known = new Set(keys.map(withoutForm));
  const unknown = Object.keys(texts).filter((key) => !known.has(withoutForm(key)) && !said.has(key));
  for (const key of unknown) said.add(key);
  if (unknown.length === 0) return;
  const [shown, more] = [unknown.slice(0, MOST_SAID).join(', '), unknown.length - MOST_SAID];
  console.warn(
    `php-chat: no text has the key ${shown}${more > 0 ? ` or ${more} others` : ''}. The keys are those of languages/en.json.`,
  );
}

/** Removes the plural form from a key, because other languages have other forms. */
const withoutForm = (key: string) => key.replace(/\.(?:zero|one|two|few|many|other)$/, '');

export interface LoadedTexts {
  readonly texts: Texts;
  /** Set if the owner's file takes longer: the texts to show when it is loaded. Undefined if ours cannot be loaded. */
  readonly later?: Promise<Texts | undefined>;
}

/**
 * Combines the owner's texts with ours.
 *
 * @param owners - the owner's texts, or the address of their file
 * @param own - our texts in the best language without the owner's texts
 * @param best - returns the language to show with the owner's texts, and our texts for it
 */
export async function withOwners(
  owners: OwnersTexts | string,
  own: Promise<Texts>,
  best: (by: OwnersTexts) => [lang: string, ours: Promise<Texts>],
): Promise<LoadedTexts> {
  const file = typeof owners === 'string' ? ownersFile(owners) : given(owners);
  const together = async (by: OwnersTexts) => {
    const [lang, ours] = best(by);
    return merged(lang, await ours, by);
  };
  const first = await inTime(file);
  return first === undefined
    ? {
        texts: await own,
        later: file
          .then(together)
          .then(completed)
          .catch(() => undefined),
      }
    : { texts: await together(first) };
}

/** The late code may already be shown, so texts that replace others must be complete. */
const completed = async ({ lang, by, all }: Texts): Promise<Texts> => ({ lang, by: (await all?.()) ?? by });

/** Returns the file, or undefined if it is not loaded within a second. */
async function inTime<T>(file: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), FILE_MS);
  });
  const first = await Promise.race([file, late]);
  clearTimeout(timer);
  return first;
}

/**
 * Replaces our texts by the owner's. If the languages differ, our `.one` forms of these texts are removed, because they
 * would mix both languages.
 */
export function merged(lang: string, ours: Texts, owners: OwnersTexts): Texts {
  const their = Object.entries(owners).flatMap(([key, { [lang]: text }]): [string, string][] =>
    typeof text === 'string' ? [[key, text]] : [],
  );
  const together = (texts: Texts['by']) => {
    const by = { ...texts };
    if (base(lang) !== base(ours.lang)) for (const [key] of their) delete by[key.replace(/\.other$/, '.one')];
    return { ...by, ...Object.fromEntries(their) };
  };
  const { all } = ours;
  return { lang, by: together(ours.by), all: all && (async () => together(await all())) };
}

/** A copy of the function in languages.ts. */
function base(tag: string): string | undefined {
  return tag.toLowerCase().split(/[-_]/)[0];
}
