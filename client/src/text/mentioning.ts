import { UNSPACED } from '../../../server/text/links.ts';
import type { NewMention } from '../store/entries.ts';

/** A user who was chosen from the list. `label` represents the user in the text. */
export interface PickedMention {
  readonly user: string;
  readonly label: string;
  /** Whether the text did not contain the label, so that those who were chosen with it before are removed. */
  readonly replaces?: boolean | undefined;
}

/** Continues a name, so that the label before it is not that of the user. */
const WORD = new RegExp(`(?![${UNSPACED}])[\\p{L}\\p{N}]`, 'u');

/**
 * Returns the mentions of chosen users whose labels are still in the text, by position. Chosen users with the same
 * label get its occurrences in turn. A name that was typed by hand is not a mention.
 */
export function mentionsIn(text: string, picks: readonly PickedMention[], most = 20): NewMention[] {
  const left = picks.filter(
    ({ label }, n) => !picks.slice(n + 1).some((later) => later.replaces && later.label === label),
  );
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
