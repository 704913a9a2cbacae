/**
 * Converts the formatting of other chats into the formatting of this chat (server/text/format.ts). Text that would
 * only be formatted here gets backslashes.
 */

import { blocks, mayClose, mayOpen, onlySigns } from '../text/format.ts';
import { type EmojiNames, emojiNamed } from './emoji.ts';

/** Part of a text: plain text, text that is formatted already, or bold or italic parts. */
export type Part =
  | string
  | { readonly formatted: string; readonly isLink?: true }
  | { readonly sign: Sign; readonly parts: readonly Part[] };
/** The signs of bold and italic text in this chat. */
type Sign = '**' | '_';

/** The formatting of another chat. */
export interface Markup {
  /** The signs of this chat for bold and italic, by the signs of the other chat. */
  readonly signs: Readonly<Record<string, readonly Sign[]>>;
  /** Passages without bold and italic inside, such as code and links, and what they become. Earlier ones take precedence. */
  readonly passages: readonly (readonly [
    RegExp,
    (found: readonly (string | undefined)[]) => readonly Part[],
  ])[];
  readonly emoji: EmojiNames;
  /** The start of a line in a quotation. */
  readonly quote: RegExp;
  /** The start of a quotation that includes all following lines. */
  readonly longQuote?: RegExp;
  /** The start of an item in a list without numbers. */
  readonly item: RegExp;
  /** A heading, which becomes bold. The first group is its text. */
  readonly heading?: RegExp;
  /** Decodes the text between the signs. */
  readonly decode?: (text: string) => string;
}

/** The place of a passage that was taken out of the text, between characters that no text contains (noncharacters). */
const TAKEN = /\ufdd0(\d+)\ufdd1/;
const SIGNS = /\*+|_+/g;
/** The end of a text, a blank, or punctuation before them. */
const END_OF_LINK = /^[.,;:!?)\]}'"*_~]*(?:\s|$)/;
/** Maximum characters of a text that is converted. The import cuts texts earlier. */
const maxText = 50_000;

/** Converts a message. */
export function convertText(text: string, markup: Markup): string {
  return new Conversion(text, markup).lines();
}

/** Converts a text that this chat shows without formatting, such as a topic. */
export function convertPlain(text: string, markup: Markup): string {
  return new Conversion(text, markup).plain();
}

/** Returns a message that shows a text as it is. */
export const escapeText = (text: string): string => withBackslashes(render([text], repeatedSigns(text)));

/** Returns a link. This chat shows its address, so the title precedes it. */
export function linkParts(address: string, title = ''): Part[] {
  const bare = address.replace(/^(?:mailto|tel):/i, '');
  const isSame = withoutScheme(bare) === withoutScheme(title);
  if (title.trim() === '' || isSame) return [{ formatted: bare, isLink: true }];
  return [title, ' ', { formatted: `(${bare})`, isLink: true }];
}

/** The links of Markdown, and addresses without a title. */
export const markdownLinks: Markup['passages'] = [
  [
    /!?\[([^[\]\n]*)\]\(<?([^\s()<>]+(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+"[^"\n]*")?\)/g,
    ([, title, address = '']) => linkParts(address, title),
  ],
  [/<((?:https?:\/\/|mailto:)[^\s<>]+)>/g, ([, address = '']) => linkParts(address)],
  [/https?:\/\/[^\s<>\ufdd0]*[^\s<>\ufdd0.,;:!?'"*_~)\]]/g, ([address = '']) => linkParts(address)],
];

const withoutScheme = (address: string): string => address.replace(/^https?:\/\//i, '').replace(/\/$/, '');

/** Returns a block of code. Without a line break, this chat would read its first line as a language. */
export const codeBlock = (code: string, language = ''): Part[] => [
  { formatted: `\`\`\`${code.trim() === '' ? code : `${language}\n${code}\n`}\`\`\`` },
];

/** Returns code within a line. */
export const codeInLine = (code: string): Part[] => [{ formatted: `\`${code}\`` }];

class Conversion {
  readonly #markup: Markup;
  readonly #passages: (readonly Part[])[] = [];
  readonly #text: string;
  readonly #repeated: string;

  constructor(text: string, markup: Markup) {
    this.#markup = markup;
    this.#repeated = repeatedSigns(text);
    let rest = text
      .slice(0, maxText)
      .replaceAll('\r\n', '\n')
      .replaceAll(/[\ufdd0-\ufdd3]/g, '');
    for (const [pattern, partsOf] of markup.passages)
      rest = rest.replaceAll(pattern, (...found) => this.#take(partsOf(found as string[])));
    this.#text = this.#takeEmoji(rest);
  }

  lines(): string {
    const { quote, longQuote, item, heading } = this.#markup;
    let isQuote = false;
    const converted = this.#text.split('\n').map((line) => {
      if (longQuote?.test(line)) isQuote = true;
      const quoted = isQuote || quote.test(line);
      const words = line.replace(isQuote && longQuote?.test(line) ? longQuote : quote, '');
      if (quoted) return words.trim() === '' ? '>' : `> ${this.#inline(words)}`;
      if (item.test(line)) return `- ${this.#inline(line.replace(item, ''))}`;
      const title = heading?.exec(line)?.[1];
      if (title === undefined) return this.#inline(line);
      return render([{ sign: '**', parts: withoutBold(this.#parse(title)) }], this.#repeated);
    });
    return withBackslashes(converted.join('\n'));
  }

  plain(): string {
    return textOf(this.#parse(this.#text));
  }

  #inline(line: string): string {
    return render(this.#parse(line), this.#repeated);
  }

  #take(parts: readonly Part[]): string {
    return `\ufdd0${this.#passages.push(parts) - 1}\ufdd1`;
  }

  #takeEmoji(text: string): string {
    const name = /:([\w+'-]{1,60}):(?::skin-tone-([2-6]):)?/g;
    let [done, taken] = [0, ''];
    for (let found = name.exec(text); found !== null; found = name.exec(text)) {
      const emoji = emojiNamed(found[1] as string, found[2], this.#markup.emoji);
      // The second colon may start the name of an emoji.
      if (emoji === undefined) name.lastIndex = found.index + 1;
      else {
        taken += text.slice(done, found.index) + this.#take([emoji]);
        done = name.lastIndex;
      }
    }
    return taken + text.slice(done);
  }

  /** Parses the bold and italic parts of a line. */
  #parse(text: string, signs = this.#markup.signs): Part[] {
    const runs = [...text.matchAll(SIGNS)].map(({ 0: sign, index }) => {
      return { sign, index, ...roleOf(sign, text[index - 1], text[index + sign.length]) };
    });
    const parts: Part[] = [];
    const unclosed = new Set<string>();
    let done = 0;
    for (const [n, { sign, index, opens }] of runs.entries()) {
      const own = signs[sign];
      if (index < done || own === undefined || !opens || unclosed.has(sign)) continue;
      const start = index + sign.length;
      const end = runs.slice(n + 1).find((run) => run.sign === sign && run.closes)?.index;
      if (end === undefined) unclosed.add(sign);
      else {
        parts.push(...this.#expand(text.slice(done, index)));
        const others = Object.entries(signs).filter(([, marks]) => !marks.some((mark) => own.includes(mark)));
        let inside = this.#parse(text.slice(start, end), Object.fromEntries(others));
        for (const mark of own) inside = [{ sign: mark, parts: inside }];
        parts.push(...inside);
        done = end + sign.length;
      }
    }
    return [...parts, ...this.#expand(text.slice(done))];
  }

  /** Puts the taken passages back into a text. */
  #expand(text: string): Part[] {
    const { decode = (text) => text } = this.#markup;
    return text.split(TAKEN).flatMap((piece, n) => {
      if (n % 2 === 0) return piece === '' ? [] : [decode(piece)];
      const passage = this.#passages[Number(piece)] ?? [];
      return passage.flatMap((part) => (typeof part === 'string' ? this.#expand(part) : [part]));
    });
  }
}

const withoutBold = (parts: readonly Part[]): Part[] =>
  parts.flatMap((part) =>
    typeof part === 'object' && 'sign' in part && part.sign === '**' ? withoutBold(part.parts) : [part],
  );

const textOf = (parts: readonly Part[]): string =>
  parts
    .map((part) => (typeof part === 'string' ? part : 'sign' in part ? textOf(part.parts) : part.formatted))
    .join('');

/** Whether a sign between these characters may start or end a format, in this chat and in others. */
function roleOf(sign: string, before = ' ', after = ' '): { opens: boolean; closes: boolean } {
  const isSign = /^(?:\*{1,3}|_{1,2})$/.test(sign);
  return { opens: isSign && mayOpen(sign, before, after), closes: isSign && mayClose(sign, before, after) };
}

/** Returns the signs that occur more than once in a message. Other signs need no backslash. */
const repeatedSigns = (text: string): string =>
  ['*', '_'].filter((sign) => text.indexOf(sign) !== text.lastIndexOf(sign)).join('');

/** Writes parts as this chat formats them. Inside a word, bold and italic text loses its format. */
function render(parts: readonly Part[], repeated: string, outer = ' '): string {
  let text = '';
  for (const [n, part] of parts.entries()) {
    const next = parts[n + 1];
    const before = text.at(-1) ?? outer;
    const after =
      next === undefined
        ? outer
        : typeof next === 'object' && 'sign' in next
          ? '*'
          : (textOf([next])[0] ?? outer);
    if (typeof part === 'string') text += literal(part, repeated, before, after);
    else if ('formatted' in part) {
      // Otherwise the text that follows a link would belong to it.
      const isApart = part.isLink === undefined || END_OF_LINK.test(textOf(parts.slice(n + 1, n + 4)));
      text += `${part.formatted}${isApart ? '' : ' '}`;
    } else {
      const inside = render(part.parts, repeated, '*');
      const fits =
        inside.trim() !== '' &&
        inside === inside.trim() &&
        (part.sign === '**' || !onlySigns(inside)) &&
        mayOpen(part.sign, before, inside) &&
        mayClose(part.sign, inside, after);
      text += fits ? `${part.sign}${inside}${part.sign}` : inside;
    }
  }
  return text;
}

/** Noncharacters for signs that this chat must not format. No text contains them. */
const LITERALS: Readonly<Record<string, string>> = { '*': '\ufdd2', _: '\ufdd3' };
const LITERAL_RUN = /(\ufdd2+|\ufdd3+)/;
const signsOf = (literals: string) => literals.replaceAll('\ufdd2', '*').replaceAll('\ufdd3', '_');

/** Replaces signs that may format by literals, and doubles backslashes before the sign of the next part. */
const literal = (text: string, repeated: string, before: string, after: string): string =>
  text.replaceAll(/\\+$|\*+|_+/g, (run, index: number) => {
    if (run.startsWith('\\')) return /[*_`]/.test(after) ? run + run : run;
    const { opens, closes } = roleOf(run, text[index - 1] ?? before, text[index + run.length] ?? after);
    const isFormat = repeated.includes(run[0] as string) && run !== '__' && (opens || closes);
    return isFormat ? run.replaceAll(/./g, (sign) => LITERALS[sign] as string) : run;
  });

/** Maximum literal signs for which a backslash is tried. */
const maxTried = 100;

/** Writes a backslash before each literal sign that would format. Before other signs it would be visible. */
function withBackslashes(marked: string): string {
  const parts = marked.split(LITERAL_RUN);
  if (parts.length === 1) return marked;
  const shapeOf = (text: string) => signsOf(JSON.stringify(blocks(text)));
  const plain = signsOf(marked);
  if (shapeOf(plain) === shapeOf(marked)) return plain;
  // The literals are at the odd places.
  const isEscaped = parts.map((_, n) => n % 2 === 1);
  const backslashesAt = (n: number) => /\\*$/.exec(parts[n - 1] ?? '')?.[0] ?? '';
  const write = () =>
    parts.map((part, n) => (isEscaped[n] ? `${backslashesAt(n)}\\` : '') + signsOf(part)).join('');
  let text = write();
  for (let n = 1; n < Math.min(parts.length, 2 * maxTried); n += 2) {
    isEscaped[n] = false;
    const without = write();
    const [before, after] = [shapeOf(text), shapeOf(without)];
    const hidden = text.length - without.length - (before.length - after.length) / 2;
    // A backslash in JSON is written as two.
    if (hidden === 0 && before.replaceAll('\\', '') === after.replaceAll('\\', '')) text = without;
    else isEscaped[n] = true;
  }
  return text;
}
