import { links, type Piece } from '../../../server/wire/links.ts';

/** The parts of a line: text and links, code as it was written, or what is bold or italic. */
export type Inline =
  | Piece
  | { readonly code: string }
  | { readonly mark: 'strong' | 'em'; readonly inline: readonly Inline[] };
/** A paragraph, a quotation, a list, numbered from `start` or not, or code in a block of its own. */
export type Block =
  | { readonly kind: 'text' | 'quote'; readonly inline: readonly Inline[] }
  | {
      readonly kind: 'list';
      readonly start: number | undefined;
      readonly items: readonly (readonly Inline[])[];
    }
  | { readonly kind: 'code'; readonly text: string };

/** Not within a longer run. */
const FENCE = /(?<!`)```(?!`)/gu;
/** The name of a language behind a fence, and the end of the line there. */
const LANGUAGE = /^[A-Za-z0-9+#.-]{0,20}\n/u;
/** How a line of a quotation or a list begins, and what it says. */
const LINE = /^(?:(>)|-|(\d{1,3})\.) +(\S.*)$/u;
/**
 * A possible link, up to its last letter or digit, whose backslashes are its own; a sign that is to be plain; or code within a line. The latter also
 * matches blanks, which are sorted out afterwards: in the expression that would take quadratic time.
 */
const LITERAL = /(?:https?:\/\/|www\.)[^\s`]*[\p{L}\p{N}]|\\([\\*_`>.-])|(?<!`)`([^`\n]+)`(?!`)/giu;
/** Signs that may begin or end something, and the end of a paragraph. */
const SIGNS = /(\*+|_+|\n[^\S\n]*\n)/u;
/** Signs stand outside of it. Scripts without case have no such edges: some of them put no space between words. */
const WORD = /[\p{LC}\p{N}]/u;
const DEPTH = 3;
/** At most so many signs wait for their end at once: each end is looked for among them. */
const MOST_OPEN = 100;

/**
 * A message as it is shown: the part of CommonMark that docs/protocol.md names. A sign that is not closed,
 * encloses nothing or is nested deeper than three stays as it was written.
 */
export function blocks(text: string): Block[] {
  const found: Block[] = [];
  let done = 0;
  let opening: number | undefined;
  for (const { index } of text.matchAll(FENCE)) {
    const code = opening === undefined ? '' : within(text.slice(opening + 3, index));
    if (opening === undefined || code.trim() === '') {
      opening = index;
      continue;
    }
    between(text.slice(done, opening), done > 0, true, found);
    found.push({ kind: 'code', text: code });
    done = index + 3;
    opening = undefined;
  }
  between(text.slice(done), done > 0, false, found);
  return found;
}

/** Links that are shown in another way have other words than their address. */
export type LinkWords = (href: string) => { readonly text: string } | undefined;

/** The words of a message, without the signs that format it. */
export const plain = (text: string, linked?: LinkWords): string => words(blocks(text), linked);

/** The same of what has been parsed. */
export function words(all: readonly Block[], linked?: LinkWords): string {
  return all
    .map((block) => {
      if (block.kind === 'code') return block.text;
      if (block.kind !== 'list') return said(block.inline, linked);
      return block.items
        .map((item, n) => `${block.start === undefined ? '' : `${block.start + n}. `}${said(item, linked)}`)
        .join('\n');
    })
    .join('\n');
}

export const said = (inline: readonly Inline[], linked?: LinkWords): string =>
  inline
    .map((piece) => {
      if (typeof piece === 'string') return piece;
      if ('code' in piece) return piece.code;
      return 'mark' in piece ? said(piece.inline, linked) : (linked?.(piece.href)?.text ?? piece.text);
    })
    .join('');

/** Without what belongs to the lines of the fences. */
const within = (text: string) => text.replace(LANGUAGE, '').replace(/\n$/u, '');

/** The line breaks beside a block of code are those that end its fences' lines. */
function between(text: string, after: boolean, before: boolean, found: Block[]): void {
  const start = after && text.startsWith('\n') ? 1 : 0;
  const end = before && text.length > start && text.endsWith('\n') ? text.length - 1 : text.length;
  const words = text.slice(start, end);
  if (words !== '' || !(after || before)) found.push(...lines(words));
}

/** Paragraphs, quotations and lists. */
function lines(text: string): Block[] {
  const found: Block[] = [];
  let paragraph: string[] = [];
  let quoted: string[] = [];
  let list: { start: number | undefined; items: Inline[][] } | undefined;
  const endBlock = () => {
    if (quoted.length > 0) found.push({ kind: 'quote', inline: inline(quoted.join('\n').trimEnd()) });
    if (list !== undefined) found.push({ kind: 'list', ...list });
    [quoted, list] = [[], undefined];
  };
  const endParagraph = (last: boolean) => {
    // Empty lines beside a quotation or a list are the distance that it has anyway.
    while (found.length > 0 && paragraph[0]?.trim() === '') paragraph.shift();
    while (!last && paragraph.at(-1)?.trim() === '') paragraph.pop();
    if (paragraph.length > 0) found.push({ kind: 'text', inline: inline(paragraph.join('\n')) });
    paragraph = [];
  };
  for (const line of text.split('\n')) {
    const [, quote, digits, words] = LINE.exec(line) ?? [];
    if (quote !== undefined || (quoted.length > 0 && line.trimEnd() === '>')) {
      if (quoted.length === 0) endBlock();
      endParagraph(false);
      quoted.push(words ?? '');
    } else if (words !== undefined) {
      const start = digits === undefined ? undefined : Number(digits);
      if (quoted.length > 0 || !continues(list, start)) endBlock();
      endParagraph(false);
      list ??= { start, items: [] };
      list.items.push(inline(words));
    } else {
      endBlock();
      paragraph.push(line);
    }
  }
  endBlock();
  endParagraph(true);
  return found;
}

/** A number that is neither the next one nor the first again begins a list of its own, to be shown as it was written. */
function continues(
  list: { start: number | undefined; items: unknown[] } | undefined,
  number?: number,
): boolean {
  if (list?.start === undefined || number === undefined) return list?.start === number;
  return number === list.start || number === list.start + list.items.length;
}

/** The pieces of a text, with its bold and italic parts. */
function inline(text: string): Inline[] {
  const found: Inline[] = [];
  /** Signs that may have begun something, with their places among the pieces. */
  let open: { readonly sign: string; readonly at: number }[] = [];
  let done = 0;

  /** Ends what this sign has begun last; false if it has begun nothing. Signs that began something in between stay as they are. */
  const close = (sign: string): boolean => {
    const n = open.findLastIndex((one) => one.sign === sign);
    const at = open[n]?.at;
    if (at === undefined) return false;
    const inside = found.slice(at + 1);
    // Everything around it would be deeper still.
    const deep = depth(inside) >= DEPTH;
    open = deep ? [] : open.slice(0, n);
    if (!deep)
      found.splice(at, found.length, { mark: sign === '**' ? 'strong' : 'em', inline: joined(inside) });
    return !deep;
  };
  const sign = (run: string) => {
    const [before, after] = [text[done - 1] ?? ' ', text[done + run.length] ?? ' '];
    const opens = !WORD.test(before) && after.trim() !== '';
    const closes = !WORD.test(after) && before.trim() !== '';
    // Three are bold and italic: what was opened last is closed first.
    const both = open.at(-1)?.sign === '**' ? ['**', '*'] : ['*', '**'];
    for (const one of run === '***' ? both : [run]) {
      if (closes && close(one)) continue;
      if (opens && /^(?:\*\*?|_)$/u.test(one)) {
        open.push({ sign: one, at: found.length });
        if (open.length > MOST_OPEN) open.shift();
      }
      // Nothing goes on behind an empty line.
      if (one.startsWith('\n')) open = [];
      found.push(one);
    }
  };
  const words = (to: number) => {
    for (const piece of links(text.slice(done, to))) {
      let isSign = false;
      for (const part of typeof piece === 'string' ? piece.split(SIGNS) : [piece]) {
        if (isSign) sign(part as string);
        else if (part !== '') found.push(part);
        done += (typeof part === 'string' ? part : part.text).length;
        isSign = !isSign;
      }
    }
  };

  for (const match of text.matchAll(LITERAL)) {
    const [all, escaped, code] = match;
    if (!(escaped ?? code?.trim())) continue;
    words(match.index);
    found.push(escaped ?? { code: code ?? '' });
    done += all.length;
  }
  words(text.length);
  return joined(found);
}

/** Each text becomes a node of the page: what stands beside another is one with it. */
function joined(pieces: readonly Inline[]): Inline[] {
  const all: Inline[] = [];
  for (const piece of pieces) {
    const last = all.at(-1);
    if (typeof piece === 'string' && typeof last === 'string') all[all.length - 1] = last + piece;
    else all.push(piece);
  }
  return all;
}

/** How deep the deepest of them is nested. */
const depth = (pieces: readonly Inline[]): number =>
  pieces.reduce<number>(
    (most, piece) =>
      typeof piece !== 'string' && 'mark' in piece ? Math.max(most, 1 + depth(piece.inline)) : most,
    0,
  );
