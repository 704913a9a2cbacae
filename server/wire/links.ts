import { filterForm, maybeBlank } from './blank.ts';
import { shownAddress } from './shown-address.ts';

/** A piece of a message: plain text, or a link. */
export type Piece =
  | string
  | {
      readonly href: string;
      readonly host: string;
      /** As the user typed it. */
      readonly text: string;
      /** As users see it, with a look-alike host in ASCII. */
      readonly shown: string;
    };

const ADDRESS = '[^\\s<>"`\\p{Cc}\\p{Bidi_Control}]+';
const LABEL = '[\\p{L}\\p{N}-]';
/**
 * Matches what may be a link at the start of a word: an address with a scheme or `www.`, or an e-mail address. `links`
 * parses and checks each match.
 */
const CANDIDATE = new RegExp(
  [
    `(?<![\\p{L}\\p{N}])(?:https?://|mailto:)${ADDRESS}`,
    `(?<![\\p{L}\\p{N}@./-])www\\.${LABEL}+\\.${ADDRESS}`,
    `(?<![\\p{L}\\p{N}._%+/@-])[\\p{L}\\p{N}][\\p{L}\\p{N}._%+-]{0,63}@${LABEL}+(?:\\.${LABEL}+)+`,
  ].join('|'),
  'giu',
);
/** Parsing a host takes quadratic time in its length. Host names have at most 253 characters. */
const LONG_HOST = /^https?:[/\\]*[^/\\?#]{300}/iu;
const ALLOWED = new Set(['http:', 'https:', 'mailto:']);

/** Splits a text into plain text and links. */
export function links(text: string): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    const url = withoutTail(match[0]);
    const address = complete(url);
    if (LONG_HOST.test(address) || !URL.canParse(address)) continue;
    const parsed = new URL(address);
    const { href, protocol, username, password, host } = parsed;
    // The host of `https://bank.example@other.example` is other.example.
    if (!ALLOWED.has(protocol) || username !== '' || password !== '') continue;
    if (match.index > done) pieces.push(text.slice(done, match.index));
    const shown = shownAddress(url, parsed);
    // The host as the browser requests it.
    pieces.push({
      href,
      host: protocol === 'mailto:' ? shown.replace(/^mailto:/iu, '') : host,
      text: url,
      shown,
    });
    done = match.index + url.length;
  }
  if (done < text.length) pieces.push(text.slice(done));
  return pieces;
}

/** Adds the scheme if it is missing. */
function complete(url: string): string {
  if (/^(?:https?:|mailto:)/iu.test(url)) return url;
  return /^www\./iu.test(url) ? `https://${url}` : `mailto:${url}`;
}

/** Removes trailing punctuation, which belongs to the sentence. A `)` stays if it closes a `(` of the address. */
function withoutTail(url: string): string {
  let unopened = count(url, ')') - count(url, '(');
  let end = url.length;
  for (; end > 0; end--) {
    const last = url[end - 1] ?? '';
    if (last === ')' && unopened > 0) unopened--;
    else if (!/[.,;:!?'’”»*_~\]}。，、；：！？）」』】]/u.test(last)) break;
  }
  return url.slice(0, end);
}

const count = (text: string, character: string) => text.split(character).length - 1;

/** Returns a text with the hosts of its links as users see them. */
export const withShownHosts = (text: string): string =>
  links(text)
    .map((piece) => (typeof piece === 'string' ? piece : piece.shown))
    .join('');

/** Returns the first `http:` or `https:` link of a text, or null. */
export function firstPage(text: string): string | null {
  for (const piece of links(text)) {
    if (typeof piece !== 'string' && !piece.href.startsWith('mailto:')) return piece.href;
  }
  return null;
}

/** Addresses, wherever they start: at the end a host with a path or a port. */
const LIKE_LINK =
  /:\/\/|mailto:|www\.\S|[^\s@]@[^\s@]+\.[^\s.]|[\p{L}\p{N}]\.\p{L}[\p{L}\p{N}-]{1,62}(?:\/|:\d)/iu;

/**
 * Whether a program may make a part of the text a link. Finds all that `links` finds in any part of the text, because
 * clients split it at their formatting, and what other apps and mail programs find.
 */
export const mayHaveLink = (text: string): boolean =>
  LIKE_LINK.test(text) || LIKE_LINK.test(filterForm(text).replaceAll(maybeBlank, ''));
