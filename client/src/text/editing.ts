/** The text of a field and its selection. */
export interface Field {
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

/** Puts `text` between `from` and `to`; then what is between `start` and `end` of the whole is selected. */
export interface Change {
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const SIGNS = { bold: '**', italic: '_', code: '`' };

/** A fence with the name of its language, and a whole block of code. */
const OPENING = /```[A-Za-z0-9+#.-]{0,20}\n$/u;
const BLOCK = /^```[A-Za-z0-9+#.-]{0,20}\n((?:(?!```).)+)\n```$/su;
/** The last number of a list. */
const LAST = 999;

export type Format = keyof typeof SIGNS | 'quote' | 'list';

/** Formats what is selected, or takes that away again. */
export function toggle(field: Field, format: Format): Change {
  if (format === 'quote') return atLines(field, '> ');
  if (format === 'list') return atLines(field, '- ');
  const { value } = field;
  const selected = value.slice(field.start, field.end);
  // Signs belong to words: beside a blank they would be text.
  const start = field.start + (selected.length - selected.trimStart().length);
  const end = Math.max(start, field.end - (selected.length - selected.trimEnd().length));
  const inside = value.slice(start, end);
  if (format === 'code') {
    const change = toggleBlock(value, start, end);
    if (change !== undefined) return change;
  }
  const sign = SIGNS[format];
  const { length } = sign;
  if (value.slice(start - length, start) === sign && value.slice(end, end + length) === sign) {
    const bare = withoutSigns(inside, sign);
    const from = start - length;
    const to = end + length;
    if (bare === inside) return { from, to, text: inside, start: from, end: end - length };
    return { from, to, text: sign + bare + sign, start, end: start + bare.length };
  }
  if (inside.length > 2 * length && inside.startsWith(sign) && inside.endsWith(sign)) {
    const text = inside.slice(length, -length);
    if (withoutSigns(text, sign) === text)
      return { from: start, to: end, text, start, end: end - 2 * length };
  }
  const bare = withoutSigns(inside, sign);
  const first = start + length;
  return { from: start, to: end, text: sign + bare + sign, start: first, end: first + bare.length };
}

/** Parts of a text that have the format already lose it, to have it with the rest; a sign within a word is text. */
function withoutSigns(text: string, sign: string): string {
  const literal = sign.replaceAll('*', '[*]');
  const word = '[\\p{LC}\\p{N}]';
  const signs = new RegExp(`(?<!${word})${literal}|${literal}(?!${word})`, 'gu');
  return [...text.matchAll(signs)].length % 2 === 0 ? text.replaceAll(signs, '') : text;
}

/** Fences around what has several lines, or around nothing any more. Undefined for a part of a line. */
function toggleBlock(value: string, start: number, end: number): Change | undefined {
  const inside = value.slice(start, end);
  const opening = OPENING.exec(value.slice(0, start))?.[0];
  if (opening !== undefined && value.startsWith('\n```', end) && inFence(value.slice(0, start))) {
    const from = start - opening.length;
    return { from, to: end + 4, text: inside, start: from, end: from + inside.length };
  }
  const text = BLOCK.exec(inside)?.[1];
  if (text !== undefined) return { from: start, to: end, text, start, end: start + text.length };
  if (!inside.includes('\n')) return undefined;
  return { from: start, to: end, text: `\`\`\`\n${inside}\n\`\`\``, start: start + 4, end: end + 4 };
}

/** Whether the text behind that stands in a block of code, as far as that shows while it is written. */
const inFence = (before: string) => [...before.matchAll(/(?<!`)```(?!`)/gu)].length % 2 === 1;

/** Each line that is selected, in part at least, begins with that; or none does any more, if all did. */
function atLines({ value, start, end }: Field, prefix: string): Change {
  const from = value.lastIndexOf('\n', start - 1) + 1;
  const next = value.indexOf('\n', Math.max(start, end - 1));
  const to = next === -1 ? value.length : next;
  const lines = value.slice(from, to).split('\n');
  const all = lines.every((line) => line.startsWith(prefix));
  const without = lines.map((line) => (line.startsWith(prefix) ? line.slice(prefix.length) : line));
  const text = (all ? without : without.map((line) => prefix + line)).join('\n');
  return { from, to, text, start: from, end: from + text.length };
}

/**
 * A new line in a list begins the next item, or ends the list behind an empty one. Undefined outside of lists
 * and in code.
 */
export function newLine({ value, start, end }: Field): Change | undefined {
  const from = value.lastIndexOf('\n', start - 1) + 1;
  const item = /^(?:-|(\d{1,3})\.) (.*)$/u.exec(value.slice(from, start));
  if (item === null || inFence(value.slice(0, start))) return undefined;
  const [, number, words = ''] = item;
  if (words.trim() === '') return { from, to: end, text: '', start: from, end: from };
  if (Number(number) === LAST) return undefined;
  const text = number === undefined ? '\n- ' : `\n${Number(number) + 1}. `;
  const caret = start + text.length;
  return { from: start, to: end, text, start: caret, end: caret };
}
