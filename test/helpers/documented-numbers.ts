import { readFileSync } from 'node:fs';

/** Checks the numbers of a page against the constants of the code, which are read as text to name their lines. */

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const lineAt = (text: string, index: number) => text.slice(0, index).split('\n').length;
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** A number of the code, in the unit of the page. */
export interface Constant {
  value: number;
  /** The file and line that declare it. */
  from: string;
}

const product = (factors: string) =>
  factors
    .replaceAll('_', '')
    .split('*')
    .reduce((value, factor) => value * Number(factor), 1);
/** Matches an integer, a decimal, or a product of them. */
const number = String.raw`(\d[\d_.]*(?: \* \d[\d_.]*)*)`;

const source = new Map<string, string>();

/**
 * Reads a constant in TypeScript or Java.
 *
 * @param name The name, or a pattern whose first group is the number
 * @param convert The unit of the page in the unit of the code, or a function of the matched text
 */
export function constant(
  file: string,
  name: string | RegExp,
  convert: number | ((text: string) => number) = 1,
): Constant {
  const text = source.get(file) ?? read(file);
  source.set(file, text);
  const pattern =
    typeof name === 'string'
      ? String.raw`^ *(?:\w+ )*(?:const|int|long) ${name}(?:: \w+)? = ['"]?${number}`
      : name.source;
  const [match, ...others] = text.matchAll(new RegExp(pattern, 'gm'));
  if (match === undefined || others.length > 0)
    throw new Error(`${file} has ${match === undefined ? 'no' : 'several'} ${name}`);
  const [, said = ''] = match;
  return {
    value: typeof convert === 'function' ? convert(said) : product(said) / convert,
    from: `${file}:${lineAt(text, match.index)}`,
  };
}

/** Computes a number of the page from several constants. */
export const combined = (
  compute: (...values: number[]) => number,
  ...constants: readonly Constant[]
): Constant => ({
  value: compute(...constants.map(({ value }) => value)),
  from: constants.map(({ from }) => from).join(', '),
});

/** A phrase of a page with numbers. Several constants for one number are copies and must be equal. */
export interface Fact {
  texts: readonly string[];
  numbers: readonly (readonly Constant[])[];
}

export const fact = (
  texts: TemplateStringsArray,
  ...numbers: readonly (Constant | readonly Constant[])[]
): Fact => ({ texts, numbers: numbers.map((one) => [one].flat() as Constant[]) });

const words = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
/** Matches what a fact can say. "A" and "an" are 1. */
const numeral = String.raw`(\d+(?:,\d{3})*(?:\.\d+)?|\b(?:an?|twice|${words.join('|')})\b)`;
/** Matches what needs a fact. Digits after letters are part of a name, such as `UTF-8` or `sha256`. */
const counted = new RegExp(
  String.raw`(?<![A-Za-z_+\d][-.]?)\d+(?:,\d{3})*(?:\.\d+)?|\b(?:${words.slice(2).join('|')}|twice|an?(?= (?:minute|hour|day|week|month|year)\b)|(?<=once )a(?= second))\b`,
  'gi',
);

function parseNumeral(text: string): number {
  const word = text.toLowerCase();
  if (/^an?$/.test(word)) return 1;
  if (word === 'twice') return 2;
  return words.includes(word) ? words.indexOf(word) : Number(text.replaceAll(',', ''));
}

const shown = (value: number) => value.toLocaleString('en', { maximumFractionDigits: 3 });

/**
 * Returns the problems of a page: numbers that differ from the code, and numbers without a source.
 *
 * @param others Phrases with numbers that are not facts of the code, such as examples
 * @param mask Blanks what cannot contain a fact
 */
export function numberProblems(
  page: string,
  { facts, others }: { facts: readonly Fact[]; others: readonly string[] },
  mask: (text: string) => string,
): string[] {
  const problems: string[] = [];
  const text = read(page);
  const sourced: [start: number, end: number][] = [];
  for (const { texts, numbers } of facts) {
    const matches = [...text.matchAll(new RegExp(texts.map(escaped).join(numeral), 'gd'))];
    const [match] = matches;
    if (match === undefined || matches.length > 1) {
      const count = match === undefined ? 'no' : `${matches.length} places with`;
      const phrase = texts.map((part, n) => part + (numbers[n] ? shown(numbers[n][0]?.value ?? 0) : ''));
      problems.push(`${page} has ${count} “${phrase.join('')}”, with any numbers`);
      continue;
    }
    sourced.push([match.index, match.index + match[0].length]);
    numbers.forEach((copies, n) => {
      const said = match[n + 1] as string;
      const line = lineAt(text, match.indices?.[n + 1]?.[0] ?? 0);
      for (const { value, from } of copies) {
        if (value === parseNumeral(said)) continue;
        problems.push(`${page}:${line} has ${said} in “${match[0]}”, but ${from} has ${shown(value)}`);
      }
    });
  }
  const searched = mask(text);
  for (const phrase of others) {
    const matches = [...searched.matchAll(new RegExp(escaped(phrase), 'g'))];
    if (matches.length === 0) problems.push(`${page} has no “${phrase}”: remove it from the list`);
    sourced.push(...matches.map(({ index }): [number, number] => [index, index + phrase.length]));
  }
  for (const { 0: said, index } of searched.matchAll(counted)) {
    if (sourced.some(([start, end]) => start <= index && index < end)) continue;
    const around = text.slice(Math.max(0, index - 40), index + 40).replaceAll('\n', ' ');
    problems.push(`${page}:${lineAt(text, index)} has ${said} without a source in “…${around}…”`);
  }
  return problems;
}

const blank = (text: string) => text.replace(/[^\n]/g, ' ');

/** Blanks code blocks, links, requests, HTTP statuses, defaults in tables of settings, and numbers of steps. */
export const maskPage = (text: string): string =>
  text
    .replace(/^```.*?^```/gms, blank)
    .replace(/\]\([^)]+\)|https?:[^\s`|]+/g, blank)
    // settings.unit.test.ts checks the defaults.
    .replace(/(?<=^\| `(?:CHAT|OTEL)_\w+` \| )`[^`]*`(?= \|)/gm, blank)
    .replace(/`(?:GET|PUT|POST|PATCH|DELETE) [^`]*`/g, blank)
    .replace(/`\{"[^`]*`/g, blank)
    .replace(
      /(?<!(?:up to|over|above|most|newest|first|than|last|least|of|every|have|has) )\b(?:20[1246]|304|40[0134589]|41[012356]|429|431|50[12347])\b/g,
      blank,
    )
    .replace(/(?<=: |, or |otherwise )200(?=[ ,])/g, blank)
    // 0 means nothing or no limit.
    .replace(/(?<![\d.,:])0(?![\d,:-]|\.\d)/g, blank)
    .replace(/^\d\. /gm, blank);

/** Blanks all but the texts that describe a schema. */
export function maskSource(text: string): string {
  const kept = text.replace(/[^\n]/g, ' ').split('');
  for (const { 0: call, index } of text.matchAll(/\.describe\(\s*'(?:[^'\\]|\\.)*'/g)) {
    for (let n = 0; n < call.length; n++) kept[index + n] = call[n] as string;
  }
  return kept.join('');
}
