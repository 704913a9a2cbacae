/** What stands in a field, and what of it is selected. */
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
  if (format === 'code' && inside.includes('\n'))
    return { from: start, to: end, text: `\`\`\`\n${inside}\n\`\`\``, start: start + 4, end: end + 4 };
  const sign = SIGNS[format];
  const { length } = sign;
  if (value.slice(start - length, start) === sign && value.slice(end, end + length) === sign) {
    const from = start - length;
    return { from, to: end + length, text: inside, start: from, end: end - length };
  }
  if (inside.length > 2 * length && inside.startsWith(sign) && inside.endsWith(sign))
    return { from: start, to: end, text: inside.slice(length, -length), start, end: end - 2 * length };
  return { from: start, to: end, text: sign + inside + sign, start: start + length, end: end + length };
}

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

/** What a new line does in a list: begins the next item, or ends the list behind an empty one. Undefined outside of lists. */
export function newLine({ value, start, end }: Field): Change | undefined {
  const from = value.lastIndexOf('\n', start - 1) + 1;
  const item = /^(?:-|(\d{1,3})\.) (.*)$/u.exec(value.slice(from, start));
  if (item === null) return undefined;
  const [, number, words = ''] = item;
  if (words.trim() === '') return { from, to: end, text: '', start: from, end: from };
  const text = number === undefined ? '\n- ' : `\n${Number(number) + 1}. `;
  const caret = start + text.length;
  return { from: start, to: end, text, start: caret, end: caret };
}
