import { filterForm, maybeBlank } from '../../text/filter.ts';
import { mayHaveLink } from '../../text/like-link.ts';

/** Which messages need approval: see CHAT_HOLD. Messages with a word of CHAT_HOLD_WORDS always do. */
export type HoldMode = 'off' | 'links' | 'first' | 'all';

export interface HoldSettings {
  mode: HoldMode;
  /** Whether a text has one of the words of CHAT_HOLD_WORDS. */
  hasWord(text: string): boolean;
}

/**
 * Replaces a name with a listed word by the ID, because a name is visible at once, without approval. With CHAT_HOLD=links
 * also a name with a link, because clients show it in the text of messages. A mail address may be a name.
 */
export const nameToShow = (
  hold: HoldSettings | undefined,
  { id, name }: { id: string; name: string },
): string => {
  if (hold === undefined) return name;
  const hasLink = hold.mode === 'links' && (joinsLink.test(name) || mayHaveLink(name.replaceAll('@', ' ')));
  return hasLink || hold.hasWord(name) ? id : name;
};

/** A part of `://`, which the text around a mention may complete, also if the user gets this name later. */
const joinsLink = /^\/|:\/?$/u;

/** Returns the settings for approval; undefined if no message needs approval. */
export function holdSettings({
  mode,
  words,
}: {
  mode: HoldMode;
  words: readonly string[];
}): HoldSettings | undefined {
  if (mode === 'off' && words.length === 0) return undefined;
  return { mode, hasWord: wordFinder(words) };
}

/** Letters and numbers, and the letters of scripts that do not separate words by spaces. */
const letter = /^[\p{L}\p{N}]$/u;
const unspaced =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]$/u;

/** A node of the trie of all words: the next nodes by character, and whether a word ends here. */
interface TrieNode {
  next: Map<string, TrieNode>;
  isWord: boolean;
}

const newNode = (): TrieNode => ({ next: new Map(), isWord: false });

/**
 * Returns a function that finds whole words in the `filterForm` of a text. A trie finds all words in one scan, because a
 * regular expression of a thousand words takes seconds for one message.
 */
function wordFinder(words: readonly string[]): (text: string) => boolean {
  const start = newNode();
  for (const word of words.map((one) => filterForm(one).replaceAll(maybeBlank, ''))) {
    let node = start;
    for (const sign of word) {
      const next = node.next.get(sign) ?? newNode();
      node.next.set(sign, next);
      node = next;
    }
    node.isWord = word !== '';
  }
  if (start.next.size === 0) return () => false;
  const hasWord = (text: string) => {
    const signs = [...filterForm(text)];
    return signs.some((_, at) => beginsWord(start, signs, at));
  };
  const hasPlainWord = (text: string) =>
    hasWord(text) || (/\p{Bidi_Control}/u.test(text) && (turned.test(text) || hasWord(inTurn(text))));
  return (text) => hasPlainWord(text) || (escaped.test(text) && hasPlainWord(decoded(text)));
}

const escaped = /(?:%[\da-f]{2})+/iu;

/** Returns the text with the letters that links may show instead of `%61`. */
const decoded = (text: string): string =>
  text.replace(new RegExp(escaped, 'giu'), (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString());

/** Letters after an override, which clients show in reverse. Without letters, it may be a copied telephone number. */
const turned =
  /^[^\n\u202e]*\u202e.*\p{L}|^[^\n\u202d]*\u202d.*[\p{sc=Hebr}\p{sc=Arab}\p{sc=Syrc}\p{sc=Thaa}\p{sc=Nkoo}\p{sc=Adlm}]/mu;

/** Returns the parts of each line between direction marks in reverse, as clients may show them. */
const inTurn = (text: string): string =>
  text
    .split('\n')
    .map((line) =>
      line
        .split(/\p{Bidi_Control}+/u)
        .reverse()
        .join(maybeBlank),
    )
    .join('\n');

/** Follows each `maybeBlank` both as nothing and as a space. Next to a match, it separates words. */
function beginsWord(start: TrieNode, signs: readonly string[], at: number): boolean {
  const first = start.next.get(signs[at] as string);
  if (first === undefined || isWithin(signs[at], signs[at - 1])) return false;
  let places = [first];
  for (let n = at + 1; places.length > 0; n++) {
    if (places.some(({ isWord }) => isWord) && !isWithin(signs[n - 1], signs[n])) return true;
    const sign = signs[n] ?? '';
    const isSkipped = sign === maybeBlank;
    const next = places.flatMap((node) => node.next.get(isSkipped ? ' ' : sign) ?? []);
    places = isSkipped ? [...places, ...next] : next;
  }
  return false;
}

/** Whether the first or last character of a match and the adjacent character belong to the same word. */
const isWithin = (sign = '', beside = ''): boolean =>
  letter.test(beside) && letter.test(sign) && !unspaced.test(sign);
