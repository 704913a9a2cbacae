/** A piece of a message: text as it is, or a link whose visible text is unchanged. */
export type Piece = string | { readonly href: string; readonly host: string; readonly text: string };

/** Candidates only; what may be a link is decided after parsing. */
const ADDRESS = '[^\\s<>"`\\p{Cc}\\p{Bidi_Control}]+';
const LABEL = '[\\p{L}\\p{N}-]';
/** With a scheme, beginning with `www.`, or of e-mail; each begins where a word does. */
const CANDIDATE = new RegExp(
  [
    `(?<![\\p{L}\\p{N}])(?:https?://|mailto:)${ADDRESS}`,
    `(?<![\\p{L}\\p{N}@./-])www\\.${LABEL}+\\.${ADDRESS}`,
    `(?<![\\p{L}\\p{N}._%+/@-])[\\p{L}\\p{N}][\\p{L}\\p{N}._%+-]{0,63}@${LABEL}+(?:\\.${LABEL}+)+`,
  ].join('|'),
  'giu',
);
/** The time to read a host grows with the square of its length. A name on the internet has up to 253 characters. */
const LONG_HOST = /^https?:[/\\]*[^/\\?#]{300}/iu;
const ALLOWED = new Set(['http:', 'https:', 'mailto:']);

export function links(text: string): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    const url = withoutTail(match[0]);
    const address = complete(url);
    if (LONG_HOST.test(address) || !URL.canParse(address)) continue;
    const { href, protocol, username, password, host, pathname } = new URL(address);
    // In `https://bank.example@other.example` the host is the second one.
    if (!ALLOWED.has(protocol) || username !== '' || password !== '') continue;
    if (match.index > done) pieces.push(text.slice(done, match.index));
    // The host as the browser will ask for it: `xn--…` shows a look-alike for what it is.
    pieces.push({ href, host: protocol === 'mailto:' ? pathname : host, text: url });
    done = match.index + url.length;
  }
  if (done < text.length) pieces.push(text.slice(done));
  return pieces;
}

/** With the scheme that was left out. */
function complete(url: string): string {
  if (/^(?:https?:|mailto:)/iu.test(url)) return url;
  return /^www\./iu.test(url) ? `https://${url}` : `mailto:${url}`;
}

/** Punctuation at the end belongs to the sentence; a bracket does unless it was opened within. */
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

/** The first web page that a text links to; null if there is none. */
export function firstPage(text: string): string | null {
  for (const piece of links(text)) {
    if (typeof piece !== 'string' && !piece.href.startsWith('mailto:')) return piece.href;
  }
  return null;
}
