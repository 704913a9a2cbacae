/** The text of a field, and its selection. */
export interface Field {
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

/** Replaces the text from `from` to `to`, and then selects from `start` to `end` of the result. */
export interface Change {
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const SIGNS = { bold: '**', italic: '_', code: '`' };

/** Match an opening fence with the name of its language, and a whole block of code. */
const OPENING = /```[A-Za-z0-9+#.-]{0,20}\n$/u;
const BLOCK = /^```[A-Za-z0-9+#.-]{0,20}\n((?:(?!```).)+)\n```$/su;
/** The highest number of an item in a list. */
const LAST = 999;

export type Format = keyof typeof SIGNS | 'quote' | 'list';

/** Formats the selection, or removes the format. */
export function toggle(field: Field, format: Format): Change {
  if (format === 'quote') return atLines(field, '> ');
  if (format === 'list') return atLines(field, '- ');
  const { value } = field;
  const selected = value.slice(field.start, field.end);
  // Signs must be next to a word. Next to a blank they would be text.
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
  // Signs in code belong to it.
  if (format === 'code' && inside.includes(sign)) return toBlock(inside, start, end);
  const bare = withoutSigns(inside, sign);
  const first = start + length;
  return { from: start, to: end, text: sign + bare + sign, start: first, end: first + bare.length };
}

/** Removes the format from parts of a text, before it is applied to the whole. A sign inside a word is text. */
function withoutSigns(text: string, sign: string): string {
  const literal = sign.replaceAll('*', '[*]');
  const word = '[\\p{LC}\\p{N}]';
  const signs = new RegExp(`(?<!${word})${literal}|${literal}(?!${word})`, 'gu');
  return [...text.matchAll(signs)].length % 2 === 0 ? text.replaceAll(signs, '') : text;
}

/** Adds fences around several lines, or removes them. Returns undefined within a single line. */
function toggleBlock(value: string, start: number, end: number): Change | undefined {
  const inside = value.slice(start, end);
  const opening = OPENING.exec(value.slice(0, start))?.[0];
  if (opening !== undefined && value.startsWith('\n```', end) && inFence(value.slice(0, start))) {
    const from = start - opening.length;
    return { from, to: end + 4, text: inside, start: from, end: from + inside.length };
  }
  const text = BLOCK.exec(inside)?.[1];
  if (text !== undefined) return { from: start, to: end, text, start, end: start + text.length };
  return inside.includes('\n') ? toBlock(inside, start, end) : undefined;
}

/** Adds fences. A text with a fence in it stays as it is, because its fence would end the block. */
function toBlock(inside: string, start: number, end: number): Change {
  if (inside.includes('```')) return { from: start, to: end, text: inside, start, end };
  return { from: start, to: end, text: `\`\`\`\n${inside}\n\`\`\``, start: start + 4, end: end + 4 };
}

/** Whether the text after `before` is in a block of code. The block's end may not be written yet. */
const inFence = (before: string) => [...before.matchAll(/(?<!`)```(?!`)/gu)].length % 2 === 1;

/** Adds the prefix to each line that is at least partly selected, or removes it if all lines have it. */
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
 * Returns the change for a new line in a list. It starts the next item, or ends the list after an empty item. Returns
 * undefined outside of lists and in code.
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
