import { describe, expect, test } from 'vitest';
import { type Change, type Field, type Format, newLine, toggle } from '../../client/src/text/editing.ts';

/** Parses a text whose selection is between `[` and `]`, or whose caret is `|`. */
function field(text: string): Field {
  const start = text.search(/[[|]/);
  const value = text.replace(/[[\]|]/g, '');
  return { value, start, end: text.includes(']') ? text.indexOf(']') - 1 : start };
}

function after({ value }: Field, { from, to, text, start, end }: Change): string {
  const all = value.slice(0, from) + text + value.slice(to);
  if (start === end) return `${all.slice(0, start)}|${all.slice(start)}`;
  return `${all.slice(0, start)}[${all.slice(start, end)}]${all.slice(end)}`;
}

describe('formatting the selection', () => {
  test.each<[Format, string, string]>([
    ['bold', 'a [b] c', 'a **[b]** c'],
    ['bold', 'a **[b]** c', 'a [b] c'],
    ['bold', 'a [**b**] c', 'a [b] c'],
    ['bold', 'a[ b ]c', 'a **[b]** c'],
    ['bold', 'a | c', 'a **|** c'],
    ['bold', '[**a** b **c**]', '**[a b c]**'],
    ['bold', '**[a** b **c]**', '**[a b c]**'],
    ['bold', '[a **b** c]', '**[a b c]**'],
    ['bold', '**a [b** c]', '**a **[b** c]**'],
    ['bold', '[2**3]', '**[2**3]**'],
    ['italic', '[a]', '_[a]_'],
    ['italic', '[_snake_case_]', '[snake_case]'],
    ['code', '[a]', '`[a]`'],
    ['code', '[`a` b `c`]', '```\n[`a` b `c`]\n```'],
    ['code', 'x [f(`a`)]', 'x ```\n[f(`a`)]\n```'],
    ['code', '[`a`]', '[a]'],
    ['code', 'x [a\nb]', 'x ```\n[a\nb]\n```'],
    ['code', 'x ```\n[a\nb]\n``` y', 'x [a\nb] y'],
    ['code', 'x [```php\na\nb\n```]', 'x [a\nb]'],
    ['code', '```\n[a]\n```', '[a]'],
    ['code', '```\na\n```\n[b]\n```\nc\n```', '```\na\n```\n`[b]`\n```\nc\n```'],
    ['code', '[```\na\n```\nb\n```\nc\n```]', '[```\na\n```\nb\n```\nc\n```]'],
    ['quote', 'a\n[b\nc]\nd', 'a\n[> b\n> c]\nd'],
    ['quote', '> a\n[> b\n> c]', '> a\n[b\nc]'],
    ['list', 'a|b', '[- ab]'],
    ['list', '[a\n]b', '[- a]\nb'],
    ['list', '- [a\nb]', '[- a\n- b]'],
  ])('%s: %j', (format, text, expected) => {
    expect(after(field(text), toggle(field(text), format))).toBe(expected);
  });
});

test.each<[string, string | undefined]>([
  ['- a|', '- a\n- |'],
  ['- a|b', '- a\n- |b'],
  ['x\n9. a|', 'x\n9. a\n10. |'],
  ['- a\n- |', '- a\n|'],
  ['998. a|', '998. a\n999. |'],
  ['999. a|', undefined],
  ['```\n- a|\n```', undefined],
  ['```\n- a\n```\n- b|', '```\n- a\n```\n- b\n- |'],
  ['1. |', '|'],
  ['a|', undefined],
  ['|- a', undefined],
  ['-a|', undefined],
])('continues, ends or ignores a list on a new line: %j → %j', (text, expected) => {
  const change = newLine(field(text));
  expect(change && after(field(text), change)).toBe(expected);
});
