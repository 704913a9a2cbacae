import { invisible } from '../text/blank.ts';

/**
 * Keys for the comparison and the order of names and texts. They are computed here and stored, because the collations
 * of the databases differ. In some of them, `Bob`, `bob` and `bob ` are the same name.
 */

/** Returns a key that is equal for names that differ only in case. */
export function nameKey(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** Returns a key that is equal for names of rooms that differ only in case, width, blanks or invisible characters. */
export function roomKey(name: string): string {
  const visible = name.replace(invisible, '').normalize('NFKC');
  return nameKey(visible.trim().replace(/\s+/gu, ' '));
}

/** Returns a key that sorts names without regard to accents and case, when compared by code units. */
export function sortKey(name: string): string {
  return name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

/** Sorts after all names. */
export const behindNames = '\u{10ffff}';

/**
 * Returns the sort key in the member list of a room, which contains only data that all members may see: the name, or
 * after all names the ID if the name is hidden.
 */
export function memberKey({ id, name }: { id: string; name: string }, isShown: boolean): string {
  return isShown ? sortKey(name) : behindNames + id;
}

/** Shortens the key, because the databases limit the size of indexed values. Usual names have shorter keys. */
export function storedMemberKey(user: { id: string; name: string }, isShown: boolean): string {
  return [...memberKey(user, isShown)].slice(0, 128).join('');
}

/**
 * Shortens the key of a room name, because the databases limit the size of indexed values. Keys of valid room names are
 * not longer than this.
 */
export const storedNameKey = (key: string): string => [...key].slice(0, 240).join('');

/** Returns the texts whose prefixes find a user: the whole name, each word of it, and the ID, regardless of case. */
export function findKeys({ id, name }: { id: string; name: string }): string[] {
  const key = nameKey(name);
  const words = key.split(/[^\p{L}\p{M}\p{N}]+/u).filter((word) => word !== '');
  return [...new Set([key, nameKey(id), ...words])];
}

/** Follows the last character of a text, so that this character also starts a pair. */
const end = '\u{e100}';

/**
 * Splits a text into pairs of adjacent characters in lower case, which are the words of the search index. Pairs find
 * any part of a text in any script, without knowledge of word boundaries. ASCII characters that an index might treat as
 * the end of a word are mapped to a private range.
 */
export function pairsOf(text: string): string[] {
  const characters = wordCharacters(text);
  return characters.map((character, n) => character + (characters[n + 1] ?? end));
}

/** Returns the pairs of a query, or for a single character the start of a pair. */
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
