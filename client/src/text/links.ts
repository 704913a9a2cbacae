/** A piece of a message: text as it is, or a link whose visible text is unchanged. */
export type Piece = string | { readonly href: string; readonly host: string; readonly text: string };

/** Candidates only; what may be a link is decided after parsing. */
const CANDIDATE = /\b(?:https?:\/\/|mailto:)[^\s<>"\p{Cc}\p{Bidi_Control}]+/giu;
const ALLOWED = new Set(['http:', 'https:', 'mailto:']);

export function links(text: string): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    const url = withoutTail(match[0]);
    if (!URL.canParse(url)) continue;
    const { href, protocol, username, password, host, pathname } = new URL(url);
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
