import { links, type Piece } from './links.ts';

/** What stands in a line: text and links, or code as it was written. */
export type Inline = Piece | { readonly code: string };
/** A paragraph, or code in a block of its own. */
export type Part =
  | { readonly kind: 'text'; readonly inline: Inline[] }
  | { readonly kind: 'code'; readonly text: string };

/** Not within a longer run. */
const FENCE = /(?<!`)```(?!`)/gu;
/** The name of a language behind a fence, and the end of the line there. */
const LANGUAGE = /^[A-Za-z0-9+#.-]{0,20}\n/u;
/** It also matches blanks, which are sorted out afterwards: in the expression that would take quadratic time. */
const INLINE = /(?<!`)`([^`\n]+)`(?!`)/gu;

/**
 * A message as it is shown. Code is between three backquotes, or within a line between single ones. What is not closed,
 * or is empty, stays as it was written.
 */
export function parts(text: string): Part[] {
  const found: Part[] = [];
  let done = 0;
  let opening: number | undefined;
  for (const { index } of text.matchAll(FENCE)) {
    const code = opening === undefined ? '' : within(text.slice(opening + 3, index));
    if (opening === undefined || code.trim() === '') {
      opening = index;
      continue;
    }
    paragraph(text.slice(done, opening), done > 0, true, found);
    found.push({ kind: 'code', text: code });
    done = index + 3;
    opening = undefined;
  }
  paragraph(text.slice(done), done > 0, false, found);
  return found;
}

/** Without what belongs to the lines of the fences. */
const within = (text: string) => text.replace(LANGUAGE, '').replace(/\n$/u, '');

/** The line breaks beside a block are those that end its fences' lines. */
function paragraph(text: string, after: boolean, before: boolean, found: Part[]): void {
  const start = after && text.startsWith('\n') ? 1 : 0;
  const end = before && text.length > start && text.endsWith('\n') ? text.length - 1 : text.length;
  const words = text.slice(start, end);
  if (words === '' && (after || before)) return;
  found.push({ kind: 'text', inline: inline(words) });
}

function inline(text: string): Inline[] {
  const found: Inline[] = [];
  let done = 0;
  for (const match of text.matchAll(INLINE)) {
    if ((match[1] ?? '').trim() === '') continue;
    if (match.index > done) found.push(...links(text.slice(done, match.index)));
    found.push({ code: match[1] ?? '' });
    done = match.index + match[0].length;
  }
  found.push(...links(text.slice(done)));
  return found;
}
