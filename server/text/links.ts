import { asciiHost, LONG_HOST, shownAddress } from './shown-address.ts';

/**
 * What is a link, by docs/text.md. No library is right in its cases: linkify-it and linkifyjs let CJK punctuation or
 * letters into the address or the host, and accept user information; GFM ends an address only at a blank or `<`.
 */

/** A piece of a message: plain text, or a link. */
export type Piece = string | Link;

export interface Link {
  readonly href: string;
  readonly host: string;
  /** As the user typed it. */
  readonly text: string;
  /** As users see it, with a look-alike host in ASCII. */
  readonly shown: string;
}

/** Scripts that put no blanks between words. */
export const UNSPACED =
  '\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}ー\\p{sc=Bopo}\\p{sc=Yiii}\\p{sc=Thai}\\p{sc=Laoo}\\p{sc=Khmr}\\p{sc=Mymr}\\p{sc=Tibt}';
/** The characters of a word, next to which no address starts. Marks of all scripts are Inherited. */
const WORD = '\\p{sc=Latn}\\p{sc=Zinh}\\p{N}';
const BLANK = '\\s\\p{Cc}\\p{Cf}\\p{Cs}\\p{DI}';
/** Signs between letters of a word: `L’Équipe`, `paral·lel`, `ダ・ヴィンチ`, `צה״ל`, `ג׳ירפה`, `བོད་ཡིག`. */
const INSIDE = '(?<=[\\p{L}\\p{M}\\p{N}])[’·・״׳་](?=[\\p{L}\\p{M}\\p{N}])';
/** Invisible characters that Persian and the scripts of India write in words. */
const JOINER = '(?<=(?!\\p{sc=Latn})[\\p{L}\\p{M}])[\\u200c\\u200d]';
/** A character of an address. Punctuation outside of ASCII ends it, except dashes and signs inside of words. */
const CHARACTER = `(?:(?![<>"\`｜＜＞])(?:[!-~]|[^${BLANK}\\p{Ps}\\p{Pe}\\p{Pi}\\p{Pf}\\p{Po}])|${INSIDE}|${JOINER})`;
/** Catalan hosts may have `l·l`. */
const LABEL = `(?:(?![${BLANK}])[\\p{L}\\p{M}\\p{N}_-]|(?<=[lL])·(?=[lL]))+`;
const NAMES = `${LABEL}(?:\\.${LABEL})*`;
const MAIL_NAME = `(?![${UNSPACED}${BLANK}])[\\p{L}\\p{M}\\p{N}._%+-]`;

/** The flag `i` would make `ι` a mark, and `ſ` an `s`. */
const inAnyCase = (word: string): string =>
  word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
/** The start of a possible link, or a whole mail address. */
const START = new RegExp(
  [
    `((?<![${WORD}])(?:${inAnyCase('https')}?://|${inAnyCase('mailto')}:)|(?<![${WORD}@./-])${inAnyCase('www')}\\.)(?=${CHARACTER})`,
    `(?<![${WORD}._%+/@-])(?=[\\p{L}\\p{N}])(?:${MAIL_NAME}){1,64}@${LABEL}\\.${NAMES}`,
  ].join('|'),
  'gu',
);
const CHARACTERS = new RegExp(`(?:${CHARACTER})+`, 'uy');
/** The parts of an address before its path: scheme, host and port, and what else is there. */
const BEGINNING = new RegExp(
  `^(https?://)?((?=[\\p{L}\\p{N}])${NAMES}|\\[[\\da-f:.]+\\])(:\\d{1,5}(?!\\d))?([^/?#]*)`,
  'iu',
);
const MAIL = new RegExp(`^(?:mailto:)?[^@?]{0,1000}@(${NAMES})`, 'iu');
/** The last name of a host whose first letters are in ASCII, and others are not. No such name exists. */
const MIXED_END = /(?<=\.[A-Za-z\d-]+)(?=[^\0-\x7f])[^.]+$/u;
/** Punctuation at the end of an address, which belongs to the sentence. */
const TAIL = /(?!-)[.,;:!?'*~\\\p{Pd}]/u;
/** No host ends in these. A path may, as in random IDs. */
const HOST_TAIL = /[-_]/u;
/** The characters after which `_` starts a format. Elsewhere it is a letter, as in names of files and in `¯\\_(ツ)_/¯`. */
export const BEFORE_LOW_LINE = /[\s\p{Ps}\p{Pi}"'*_~\p{Lo}]|(?![!-~])\p{P}/u;
const STARTS_ITALIC = new RegExp(`(?<=^|${BEFORE_LOW_LINE.source})(?<!_)\\\\*_(?=[^\\s_])`, 'u');

/** Splits a text into plain text and links. */
export function links(text: string): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  let italic: number | undefined;
  /** The end of the characters of an address that were scanned last. Each character is scanned once. */
  let scanned = 0;
  START.lastIndex = 0;
  for (let match = START.exec(text); match !== null; match = START.exec(text)) {
    let [candidate] = match;
    if (match[1]) {
      CHARACTERS.lastIndex = START.lastIndex;
      if (scanned < START.lastIndex && CHARACTERS.test(text)) scanned = CHARACTERS.lastIndex;
      candidate = text.slice(match.index, scanned);
    }
    italic ??= text.search(STARTS_ITALIC);
    const link = linkOf(addressIn(candidate, italic >= 0 && italic < match.index));
    // Other candidates may follow in the same one.
    START.lastIndex = match.index + (link?.text ?? refused(candidate)).length;
    if (link === undefined) continue;
    if (match.index > done) pieces.push(text.slice(done, match.index));
    pieces.push(link);
    done = START.lastIndex;
  }
  if (done < text.length) pieces.push(text.slice(done));
  return pieces;
}

/** Returns what is not searched again: the host of a refused address would look like the address of another host. */
const refused = (candidate: string): string => /^(?:https?:\/\/)?[^/?#]*/iu.exec(candidate)?.[0] || candidate;

function linkOf(text: string): Link | undefined {
  const url = text === '' ? undefined : parsed(text);
  if (url === undefined) return undefined;
  const { href, protocol, host } = url;
  const shown = shownAddress(text, url);
  // The host as the browser requests it.
  return { href, host: protocol === 'mailto:' ? shown.replace(/^mailto:/iu, '') : host, text, shown };
}

/** Parses an address. Returns undefined if its host or its port is invalid. */
function parsed(text: string): URL | undefined {
  const address = complete(text);
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  return url.protocol !== 'mailto:' && asciiHost(url.hostname) === undefined ? undefined : url;
}

/** Adds the scheme if it is missing. */
function complete(url: string): string {
  if (/^(?:https?:|mailto:)/iu.test(url)) return url;
  return /^www\./iu.test(url) ? `https://${url}` : `mailto:${url}`;
}

/**
 * Returns the address at the start of a candidate. Empty if there is none.
 *
 * @param afterItalic - whether `_` at the end may end a format
 */
function addressIn(candidate: string, afterItalic: boolean): string {
  if (!/^(?:https?:|www\.)/iu.test(candidate)) {
    // No mail address. Tested first, because the rest may be long and have more candidates.
    if (/^mailto:\//iu.test(candidate)) return '';
    const [before = '', host = ''] = MAIL.exec(candidate) ?? [];
    if (LONG_HOST.test(host)) return '';
    const end = MIXED_END.exec(host);
    if (end !== null) return trimmed(before.slice(0, -end[0].length));
    const address = trimmed(candidate, before.length, afterItalic);
    return /^mailto:?$/iu.test(address) ? '' : address;
  }
  const [before = '', scheme = '', host = '', port = '', rest = ''] = BEGINNING.exec(candidate) ?? [];
  // The host of `https://bank.example@other.example` is other.example.
  if (host === '' || LONG_HOST.test(host) || /[@%]/u.test(rest)) return '';
  if (scheme === '' && host.split('.').length < 3) return '';
  const end = MIXED_END.exec(host);
  if (end !== null) return trimmed(scheme + host.slice(0, end.index));
  if (rest !== '') return trimmed(scheme + host + port);
  // Parsed before the path, which may be long and have more candidates.
  if (candidate.length > before.length && parsed(before) === undefined) return '';
  return trimmed(candidate, before.length, afterItalic);
}

const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
/** The maximum number of nested brackets, because each address is scanned for the counterparts. */
const MOST_BRACKETS = 32;

/** Ends an address before a bracket that has no counterpart in it, and before the punctuation of the sentence. */
function trimmed(address: string, pathStart = address.length, afterItalic = false): string {
  const open: number[] = [];
  let end = pathStart;
  for (; end < address.length; end++) {
    const sign = address[end] ?? '';
    if (sign in CLOSING) {
      if (open.push(end) > MOST_BRACKETS) break;
    } else if (/[)\]}]/u.test(sign)) {
      if (CLOSING[address[open.at(-1) ?? -1] ?? ''] !== sign) break;
      open.pop();
    }
  }
  end = Math.min(end, ...open.slice(0, 1));
  const belongsToSentence = (sign: string) =>
    TAIL.test(sign) || (end > pathStart ? sign === '_' && afterItalic : HOST_TAIL.test(sign));
  while (end > 0 && belongsToSentence(address[end - 1] ?? '')) end--;
  return address.slice(0, end);
}

/** Returns a text with the hosts of its links as users see them. */
export const withShownHosts = (text: string): string =>
  links(text)
    .map((piece) => (typeof piece === 'string' ? piece : piece.shown))
    .join('');
