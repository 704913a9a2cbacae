import { blanks, invisible } from '../../text/blank.ts';
import { asTyped, folded } from '../../text/folding.ts';

/**
 * Keys for the comparison and the order of names and texts. They are computed here and stored, because the collations
 * of the databases differ. In some of them, `Bob`, `bob` and `bob ` are the same name. After a change of a key, increase
 * `foldingVersion`, so that the stored keys are replaced.
 */

/**
 * Returns a key that is equal for names of rooms that differ only in case, width, blanks or invisible characters.
 * Unlike searches, it distinguishes accents and apostrophes, because two public rooms may be called `Bar` and `Bär`.
 */
export function roomKey(name: string): string {
  const visible = name
    .replace(invisible, '')
    .replace(/\p{Cf}+/gu, '')
    .normalize('NFKC');
  return asTyped(visible.replace(blanks, ' ').trim());
}

/** Sorts after all names. */
export const behindNames = '\u{10ffff}';

/**
 * Returns the sort key in the member list of a room, which contains only data that all members may see: the name, or
 * after all names the ID if the name is hidden.
 */
export function memberKey({ id, name }: { id: string; name: string }, isShown: boolean): string {
  return isShown ? folded(name) : behindNames + id;
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

/** Returns the texts whose prefixes find a user: the whole name, each word of it, and the ID, folded. */
export const findKeys = (user: { id: string; name: string }): string[] => findKeysIn(user, folded);

/** Returns the find keys without folding, to find out whether they start with a query as it was typed. */
export const typedFindKeys = (user: { id: string; name: string }): string[] => findKeysIn(user, asTyped);

function findKeysIn({ id, name }: { id: string; name: string }, form: (text: string) => string): string[] {
  const key = form(name);
  const words = key.split(/[^\p{L}\p{M}\p{N}]+/u).filter((word) => word !== '');
  return [...new Set([key, form(id), ...words])];
}

/** Shortens a find key, because the databases limit the size of indexed values. Folding may lengthen a name. */
export const storedFindKey = (key: string): string => [...key].slice(0, 240).join('');

/**
 * Returns the starts of the find keys that match a query. Until the keys of a user are renewed, they are those of the
 * name as it was typed.
 */
export const queryKeys = (query: string): string[] => [
  ...new Set([folded(query), asTyped(query)].map(storedFindKey)),
];

/** Follows the last character of a text, so that this character also starts a pair. */
const end = '\u{e100}';

/**
 * Splits a folded text into pairs of adjacent characters, which are the words of the search index. Pairs find any part
 * of a text in any script, without knowledge of word boundaries. ASCII characters that an index might treat as the end
 * of a word are mapped to a private range.
 */
export function pairsOf(text: string): string[] {
  const characters = wordCharacters(text);
  return characters.map((character, n) => character + (characters[n + 1] ?? end));
}

/** Returns the pairs of a folded query, or for a single character the start of a pair. */
export function searchPairs(query: string): { pairs: string[] } | { beginning: string } {
  const [first = '', ...rest] = wordCharacters(query);
  if (rest.length === 0) return { beginning: first };
  return { pairs: rest.map((character, n) => (n === 0 ? first : (rest[n - 1] as string)) + character) };
}

function wordCharacters(text: string): string[] {
  return [...text].map((character) =>
    character < '\x80' && !/[a-z0-9]/.test(character)
      ? String.fromCodePoint(0xe000 + character.charCodeAt(0))
      : character,
  );
}
