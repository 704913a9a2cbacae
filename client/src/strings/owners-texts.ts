import type { Texts } from './language-texts.ts';
import type { OwnersTexts } from './own-texts.ts';

/** The first drawing waits so long for the owner's file. */
const FILE_MS = 1000;
/** At most this many unknown keys are named. */
const MOST_SAID = 10;

const files = new Map<string, Promise<OwnersTexts>>();

/** The owner's file, asked for once by all elements of a page; `{}` when it cannot be used. */
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

/** The texts that a script has set. */
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
  // It is of use to nobody but the owner: nothing waits for it.
  void sayUnknown(texts).catch(() => {});
  return texts;
}

function areTexts(value: unknown): value is OwnersTexts {
  const isObject = (one: unknown) => typeof one === 'object' && one !== null && !Array.isArray(one);
  return isObject(value) && Object.values(value as object).every(isObject);
}

const said = new Set<string>();

/** Names the keys that are none of ours, once each: they are misspelt, or of another version. */
async function sayUnknown(texts: OwnersTexts): Promise<void> {
  const { default: ours } = await import('./languages/en.json');
  const known = new Set(Object.keys(ours).map(withoutForm));
  const unknown = Object.keys(texts).filter((key) => !known.has(withoutForm(key)) && !said.has(key));
  for (const key of unknown) said.add(key);
  if (unknown.length === 0) return;
  const [shown, more] = [unknown.slice(0, MOST_SAID).join(', '), unknown.length - MOST_SAID];
  console.warn(
    `php-chat: no text has the key ${shown}${more > 0 ? ` or ${more} others` : ''}. The keys are those of languages/en.json.`,
  );
}

/** Languages have other plural forms than ours. */
const withoutForm = (key: string) => key.replace(/\.(?:zero|one|two|few|many|other)$/, '');

export interface LoadedTexts {
  readonly texts: Texts;
  /** Where the owner's file takes longer: what is to be shown when it has come. */
  readonly later?: Promise<Texts>;
}

/**
 * @param owners - the owner's texts, or where they are
 * @param own - our texts in the language that is wanted
 * @param best - with the owner's languages: the one to show, and our texts to go with it
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
    ? { texts: await own, later: file.then(together) }
    : { texts: await together(first) };
}

/** The file if it comes within a second. */
async function inTime<T>(file: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), FILE_MS);
  });
  const first = await Promise.race([file, late]);
  clearTimeout(timer);
  return first;
}

/** The owner's texts before ours. A plural form of ours beside one of another language would be a mixture. */
export function merged(lang: string, ours: Texts, owners: OwnersTexts): Texts {
  const by = { ...ours.by };
  const their = Object.entries(owners).flatMap(([key, { [lang]: text }]): [string, string][] =>
    typeof text === 'string' ? [[key, text]] : [],
  );
  if (base(lang) !== base(ours.lang)) for (const [key] of their) delete by[key.replace(/\.other$/, '.one')];
  return { lang, by: { ...by, ...Object.fromEntries(their) } };
}

/** As in languages.ts. */
function base(tag: string): string | undefined {
  return tag.toLowerCase().split(/[-_]/)[0];
}
