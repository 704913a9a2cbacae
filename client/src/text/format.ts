import { links, type Piece } from '../../../server/wire/links.ts';

/** A part of a line: text, a link, code as it was written, or bold or italic parts. */
export type Inline =
  | Piece
  | { readonly code: string }
  | { readonly mark: 'strong' | 'em'; readonly inline: readonly Inline[] };
/** A paragraph, a quotation, a list or a block of code. Without `start` the list has no numbers. */
export type Block =
  | { readonly kind: 'text' | 'quote'; readonly inline: readonly Inline[] }
  | {
      readonly kind: 'list';
      readonly start: number | undefined;
      readonly items: readonly (readonly Inline[])[];
    }
  | { readonly kind: 'code'; readonly text: string; readonly language: string | undefined };

/** Three backticks that are not part of a longer run. */
const FENCE = /(?<!`)```(?!`)/gu;
/** The name of a language after a fence, and the end of that line. */
const LANGUAGE = /^([A-Za-z0-9+#.-]{0,20})\n/u;
/** The sign at the start of a line in a quotation or a list, and the text of the line. */
const LINE = /^(?:(>)|-|(\d{1,3})\.) +(\S.*)$/u;
/**
 * A possible link up to its last letter or digit, an escaped sign, or code within a line. Backslashes in a link belong
 * to it. Blank code is also matched and rejected later, because rejecting it in this expression would take quadratic
 * time.
 */
const LITERAL = /(?:https?:\/\/|www\.)[^\s`]*[\p{L}\p{N}]|\\([\\*_`>.-])|(?<!`)`([^`\n]+)`(?!`)/giu;
/** Signs that may start or end a format, and the end of a paragraph. */
const SIGNS = /(\*+|_+|\n[^\S\n]*\n)/u;
/**
 * The characters of words. A sign inside a word does not format. Scripts without case are excluded, because some of
 * them put no space between words.
 */
const WORD = /[\p{LC}\p{N}]/u;
const DEPTH = 3;
/** The maximum number of open signs, because each closing sign is searched among them. */
const MOST_OPEN = 100;

/**
 * Parses a message, with the part of CommonMark that docs/protocol.md describes. A sign stays as it was written if it
 * is not closed, encloses nothing or is nested deeper than three.
 */
export function blocks(text: string): Block[] {
  const found: Block[] = [];
  let done = 0;
  let opening: number | undefined;
  for (const { index } of text.matchAll(FENCE)) {
    const fenced = opening === undefined ? '' : text.slice(opening + 3, index);
    const code = within(fenced);
    if (opening === undefined || code.trim() === '') {
      opening = index;
      continue;
    }
    between(text.slice(done, opening), done > 0, true, found);
    found.push({ kind: 'code', text: code, language: LANGUAGE.exec(fenced)?.[1] || undefined });
    done = index + 3;
    opening = undefined;
  }
  between(text.slice(done), done > 0, false, found);
  return found;
}

/** Returns the words of a link that is shown in another form than its address. */
export type LinkWords = (href: string) => { readonly text: string } | undefined;

/** Returns the words of a message, without formatting signs. */
export const plain = (text: string, linked?: LinkWords): string => words(blocks(text), linked);

/** Returns the words of parsed blocks, without formatting signs. */
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
      return 'mark' in piece ? said(piece.inline, linked) : (linked?.(piece.href)?.text ?? piece.shown);
    })
    .join('');

/** Removes the language and the line breaks that belong to the fences. */
const within = (text: string) => text.replace(LANGUAGE, '').replace(/\n$/u, '');

/** Parses the text between blocks of code, without the line breaks that belong to the fences. */
function between(text: string, after: boolean, before: boolean, found: Block[]): void {
  const start = after && text.startsWith('\n') ? 1 : 0;
  const end = before && text.length > start && text.endsWith('\n') ? text.length - 1 : text.length;
  const words = text.slice(start, end);
  if (words !== '' || !(after || before)) found.push(...lines(words));
}

/** Splits a text into paragraphs, quotations and lists. */
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
    // Empty lines next to a quotation or a list are dropped, because these have a margin anyway.
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

/**
 * Whether an item continues a list. Its number must be the next one or the first one again. Any other number starts a
 * new list, so that it is shown as it was written.
 */
function continues(
  list: { start: number | undefined; items: unknown[] } | undefined,
  number?: number,
): boolean {
  if (list?.start === undefined || number === undefined) return list?.start === number;
  return number === list.start || number === list.start + list.items.length;
}

/** Parses the links, code, bold and italic parts of a text. */
function inline(text: string): Inline[] {
  const found: Inline[] = [];
  /** Signs that may start a format, with their index among the pieces. */
  let open: { readonly sign: string; readonly at: number }[] = [];
  let done = 0;

  /**
   * Ends the format that this sign started last. Returns false if there is none, or if it would be nested too deeply.
   * Signs that were opened in between stay as they are.
   */
  const close = (sign: string): boolean => {
    const n = open.findLastIndex((one) => one.sign === sign);
    const at = open[n]?.at;
    if (at === undefined) return false;
    const inside = found.slice(at + 1);
    // Formats around it would be nested even deeper.
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
    // `***` is bold and italic. The format that was opened last is closed first.
    const both = open.at(-1)?.sign === '**' ? ['**', '*'] : ['*', '**'];
    for (const one of run === '***' ? both : [run]) {
      if (closes && close(one)) continue;
      if (opens && /^(?:\*\*?|_)$/u.test(one)) {
        open.push({ sign: one, at: found.length });
        if (open.length > MOST_OPEN) open.shift();
      }
      // A format cannot span an empty line. Signs that are still open stay plain text.
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

/** Merges neighbouring texts, because each text becomes a node of the page. */
function joined(pieces: readonly Inline[]): Inline[] {
  const all: Inline[] = [];
  for (const piece of pieces) {
    const last = all.at(-1);
    if (typeof piece === 'string' && typeof last === 'string') all[all.length - 1] = last + piece;
    else all.push(piece);
  }
  return all;
}

const depth = (pieces: readonly Inline[]): number =>
  pieces.reduce<number>(
    (most, piece) =>
      typeof piece !== 'string' && 'mark' in piece ? Math.max(most, 1 + depth(piece.inline)) : most,
    0,
  );
