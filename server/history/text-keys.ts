/**
 * Keys by which names and texts are compared and sorted. They are computed here and stored, so that every database does
 * the same: by their own collations `Bob`, `bob` and `bob ` can be one name, in each database differently.
 */

/** Equal for names that differ in case alone. */
export function nameKey(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** Sorts names as people expect, accents and case aside, by plain comparison of code units. */
export function sortKey(name: string): string {
  return name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

/** Behind the names, which are all before it. */
export const behindNames = '\u{10ffff}';

/**
 * Sorts the members of a room by what all of them may know: by their names, and behind these by their ids the people whose
 * names are not shown there.
 */
export function memberKey({ id, name }: { id: string; name: string }, isShown: boolean): string {
  return isShown ? sortKey(name) : behindNames + id;
}

/** A database indexes only so many bytes: of a longer key its beginning decides. No usual name has one. */
export function storedMemberKey(user: { id: string; name: string }, isShown: boolean): string {
  return [...memberKey(user, isShown)].slice(0, 128).join('');
}

/** The same for names of rooms, none of which has a longer key. */
export const storedNameKey = (key: string): string => [...key].slice(0, 240).join('');

/** The beginnings by which a person is found: the whole name, each word in it, and the id, without regard to case. */
export function findKeys({ id, name }: { id: string; name: string }): string[] {
  const key = nameKey(name);
  const words = key.split(/[^\p{L}\p{M}\p{N}]+/u).filter((word) => word !== '');
  return [...new Set([key, nameKey(id), ...words])];
}

/** Behind the last character of a text, so that it begins a pair as well. */
const end = '\u{e100}';

/**
 * A text as pairs of neighbouring characters, in lower case: the words of the search index. By them any part of a text is
 * found in any script, with no need to know where words begin. Characters that an index might take for the end of a word
 * are moved to a private range.
 */
export function pairsOf(text: string): string[] {
  const characters = wordCharacters(text);
  return characters.map((character, n) => character + (characters[n + 1] ?? end));
}

/** The terms of a query: pairs that follow each other, or the beginning of a pair for a single character. */
export function searchPairs(query: string): { pairs: string[] } | { beginning: string } {
  const [first = '', ...rest] = wordCharacters(query);
  if (rest.length === 0) return { beginning: first };
  return { pairs: rest.map((character, n) => (n === 0 ? first : (rest[n - 1] as string)) + character) };
}

function wordCharacters(text: string): string[] {
  return [...text.toLowerCase()].map((character) =>
    character < '\x80' && !/[a-z0-9]/.test(character)
      ? String.fromCodePoint(0xe000 + character.charCodeAt(0))
      : character,
  );
}
