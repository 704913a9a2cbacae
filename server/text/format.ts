import { BEFORE_LOW_LINE, type Link, links, type Piece } from './links.ts';

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
/** A backslash that keeps a line from being a quotation or an item. */
const ESCAPED_LINE = /^\\(?=[>-] +\S)|(?<=^\d{1,3})\\(?=\. +\S)/u;
/** Code within a line. Blank code is rejected later, because rejecting it here takes quadratic time. */
const CODE = /(?<!`)`([^`\n]+)`(?!`)/gu;
/** Signs that may start or end a format, after backslashes, and the end of a paragraph. */
const SIGNS = /((?<!\\)\\*(?:\*+|_+)|\n[^\S\n]*\n)/u;
/**
 * The characters of words. A sign inside a word does not format. Scripts without case are excluded, because some of
 * them put no space between words.
 */
const WORD = /[\p{LC}\p{N}]/u;
/** The characters before which `_` ends a format. */
const AFTER_LOW_LINE = /[\s\p{Pe}\p{Pf}"'*_~.,;:!?\p{Lo}]|(?![!-~])\p{P}/u;
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

/** Returns the links of a message that clients show, which are not in code. */
export function linksIn(text: string): Link[] {
  const within = (pieces: readonly Inline[]): Link[] =>
    pieces.flatMap((piece) => {
      if (typeof piece === 'string' || 'code' in piece) return [];
      return 'mark' in piece ? within(piece.inline) : [piece];
    });
  return blocks(text).flatMap((block) => {
    if (block.kind === 'code') return [];
    return block.kind === 'list' ? block.items.flatMap(within) : within(block.inline);
  });
}

/** Most messages have none of these, and the history asks for each message. */
const MAY_HAVE_PAGE = /:\/\/|www\./i;

/** Returns the address of the first page that a message links, or null. */
export const firstPage = (text: string): string | null =>
  (MAY_HAVE_PAGE.test(text) && linksIn(text).find(isPage)?.href) || null;

export const isPage = ({ href }: Link): boolean => !href.startsWith('mailto:');

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
      paragraph.push(line.replace(ESCAPED_LINE, ''));
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
  /** Signs that may start a format, with their index in `found`. */
  let open: Opening[] = [];
  let done = 0;

  /**
   * Ends the format that this sign started last. Returns false if there is none, or if it would be nested too deeply.
   * Signs that were opened in between stay as they are, and so do both signs if one of them is escaped, or if they
   * enclose only signs.
   */
  const close = ({ sign, backslashes }: Run): boolean => {
    const n = open.findLastIndex((one) => one.sign === sign);
    const opening = open[n];
    if (opening === undefined) return false;
    const { at } = opening;
    const inside = found.slice(at + 1);
    // Formats around it would be nested even deeper.
    const deep = depth(inside) >= DEPTH;
    open = deep ? [] : open.slice(0, n);
    if (deep) return false;
    if (sign !== '**' && inside.every((piece) => typeof piece === 'string' && onlySigns(piece))) {
      found.push('\\'.repeat(backslashes) + sign);
      return true;
    }
    const [before, after] = [halfOf(opening.backslashes), halfOf(backslashes)];
    if (isOdd(opening.backslashes) || isOdd(backslashes)) {
      found[at] = before + sign;
      found.push(after + sign);
    } else {
      const mark = sign === '**' ? 'strong' : 'em';
      found.splice(at, found.length, before, { mark, inline: joined([...inside, after]) });
    }
    return true;
  };
  const signs = (part: string) => {
    const run = part.replace(/^\\+/u, '');
    const start = done + part.length - run.length;
    const [before, after] = [text[done - 1] ?? ' ', text[start + run.length] ?? ' '];
    const [opens, closes] = [mayOpen(run, before, after), mayClose(run, before, after)];
    // `***` is bold and italic. The format that was opened last is closed first.
    const both = open.at(-1)?.sign === '**' ? ['**', '*'] : ['*', '**'];
    let backslashes = start - done;
    for (const [n, sign] of (run === '***' ? both : [run]).entries()) {
      const one = { sign, backslashes };
      backslashes %= 2;
      if (closes && close(one)) continue;
      if (opens && /^(?:\*\*?|_)$/u.test(sign)) {
        open.push({ ...one, at: found.length });
        if (open.length > MOST_OPEN) open.shift();
      }
      // A format cannot span an empty line. Signs that are still open stay plain text.
      if (sign.startsWith('\n')) open = [];
      found.push('\\'.repeat(n === 0 ? one.backslashes : 0) + sign);
    }
  };
  const words = (to: number) => {
    for (const piece of links(text.slice(done, to))) {
      let isSign = false;
      for (const part of typeof piece === 'string' ? piece.split(SIGNS) : [piece]) {
        if (isSign) signs(part as string);
        else if (part !== '') found.push(part);
        done += (typeof part === 'string' ? part : part.text).length;
        isSign = !isSign;
      }
    }
  };
  /** Adds a backtick that its backslash keeps from being code. */
  const backtick = (at: number, backslashes: number) => {
    words(at - backslashes);
    found.push(`${halfOf(backslashes)}\``);
    done = at + 1;
  };

  const codes = new RegExp(CODE);
  for (let match = codes.exec(text); match !== null; match = codes.exec(text)) {
    const [all, code = ''] = match;
    if (code.trim() === '') continue;
    const backslashes = backslashesBefore(text, match.index);
    if (isOdd(backslashes)) {
      backtick(match.index, backslashes);
      codes.lastIndex = done;
      const end = match.index + all.length - 1;
      const more = backslashesBefore(text, end);
      // Its counterpart, unless that may start code itself.
      if (isOdd(more) && !startsCode(text, end)) backtick(end, more);
    } else {
      words(match.index - backslashes);
      found.push(halfOf(backslashes), { code });
      done = match.index + all.length;
    }
  }
  words(text.length);
  return joined(found);
}

/** Whether a text in italics is rather text with its signs, as in `*:*` or `*.*`. */
export const onlySigns = (text: string): boolean => /^[\p{P}\p{Sc}\p{Sk}\p{Sm}\s]*$/u.test(text);

/** Whether a sign between these characters may start a format. */
export const mayOpen = (sign: string, before: string, after: string): boolean =>
  !/^(?:$|[\s\p{Pe}])/u.test(after) && (sign === '_' ? BEFORE_LOW_LINE.test(before) : !WORD.test(before));

/** Whether a sign between these characters may end a format. */
export const mayClose = (sign: string, before: string, after: string): boolean =>
  !/(?:^|[\s\p{Ps}])$/u.test(before) && (sign === '_' ? AFTER_LOW_LINE.test(after) : !WORD.test(after));

/** A sign that may start a format, at its index among the pieces. */
interface Opening extends Run {
  readonly at: number;
}

interface Run {
  readonly sign: string;
  /** The number of backslashes before it. An odd number escapes it. */
  readonly backslashes: number;
}

const startsCode = (text: string, at: number): boolean => {
  const code = new RegExp(CODE, 'uy');
  code.lastIndex = at;
  return code.test(text);
};
const isOdd = (count: number) => count % 2 === 1;
/** Of two backslashes before a sign, one is shown. */
const halfOf = (backslashes: number) => '\\'.repeat(Math.floor(backslashes / 2));
const backslashesBefore = (text: string, at: number): number => {
  let first = at;
  while (text[first - 1] === '\\') first--;
  return at - first;
};

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
