import { mostOptions } from '../../../server/wire/polls.ts';

/** Three emoji with blanks between them. Two are frequent in messages that ask nothing. */
const RUN = /(?<!\S)\p{RGI_Emoji}(?:\s+\p{RGI_Emoji}){2,}(?![^\s,.:;!?])/v;
const OPTION = /^\s*\p{RGI_Emoji}\s+\S/v;

interface Asked {
  readonly text: string;
  readonly options: readonly string[];
}

/**
 * Returns the question and the options of a text that asks readers to choose an emoji: lines that start with different
 * emoji, or a row of different emoji. Null for other texts.
 */
export function pollIn(text: string): Asked | null {
  if (text.length > 1000) return null;
  const lines = text.split('\n').map((line) => line.trim());
  const options = lines.filter((line) => OPTION.test(line));
  if (options.length > 1) return asked(lines.filter((line) => !options.includes(line)).join(' '), options);
  const row = RUN.exec(text)?.[0];
  return row === undefined ? null : asked(text.replace(row, ' '), row.split(/\s+/));
}

function asked(rest: string, options: readonly string[]): Asked | null {
  const text = rest.replace(/\s+/g, ' ').replace(/^[\s,.:;]+|[\s,:;]+$/g, '');
  const isDistinct = new Set(options).size === options.length;
  return text !== '' && isDistinct && options.length <= mostOptions ? { text, options } : null;
}
