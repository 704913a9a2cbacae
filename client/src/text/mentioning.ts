import type { NewMention } from '../store/entries.ts';

/** Somebody who was chosen from the list: `label` is what stands in the text for it. */
export interface PickedMention {
  readonly user: string;
  readonly label: string;
}

const WORD = /[\p{L}\p{N}]/u;

/**
 * The chosen people whose names still stand in the text, by their places. Of two with one name each stands for
 * the next place; a name that was typed by hand mentions nobody.
 */
export function mentionsIn(text: string, picks: readonly PickedMention[], most = 20): NewMention[] {
  const left = [...picks];
  const found: NewMention[] = [];
  let characters = 0;
  for (let at = 0; at < text.length && found.length < most; ) {
    const next = left
      .filter(({ label }) => text.startsWith(label, at) && !WORD.test(text[at + label.length] ?? ''))
      .sort((a, b) => b.label.length - a.label.length)[0];
    if (next === undefined) {
      at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
      characters++;
      continue;
    }
    left.splice(left.indexOf(next), 1);
    const length = [...next.label].length;
    found.push({ user: next.user, start: characters, length });
    at += next.label.length;
    characters += length;
  }
  return found;
}
