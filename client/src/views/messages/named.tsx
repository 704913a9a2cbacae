import type { Entry } from '../../store/entries.ts';
import { ERASED, EVERYBODY, mentions } from '../../store/user-ids.ts';
import type { Named } from '../context.ts';

/** Placeholders for mentions while the text is parsed: Unicode noncharacters. A message has at most 20 mentions. */
const SIGNS = /([\ufdd0-\ufdef])/u;
const FIRST = 0xfdd0;

/** Maximum length of `@` and a name. */
const LONGEST = 65;

/**
 * Returns the text of a message with the current names of the mentioned users, or undefined if the text contains a
 * placeholder itself. The typed words stay if they cannot be a name, because a mention must not hide text that search
 * and notifications show. They also stay if the user has no name, because only an ID that nobody typed could replace
 * them.
 */
export function named({ message, text, user }: Entry, me: string | undefined): Named | undefined {
  const all = message?.mentions ?? [];
  if (SIGNS.test(text)) return undefined;
  const characters = [...text];
  let done = 0;
  let marked = '';
  const names = all.map(({ user: { id, name }, start, length }, n) => {
    const typed = characters.slice(start, start + length).join('');
    marked += characters.slice(done, start).join('') + String.fromCharCode(FIRST + n);
    done = start + length;
    const isName = length <= LONGEST && !typed.includes('\n') && id !== EVERYBODY && id !== name;
    return { id, words: isName ? `${typed.startsWith('@') ? '@' : ''}${name}` : typed };
  });
  marked += characters.slice(done).join('');
  const words = (piece: string) =>
    piece.replace(new RegExp(SIGNS, 'gu'), (sign) => names[sign.charCodeAt(0) - FIRST]?.words ?? '');
  return {
    marked,
    toMe: user.id !== me && message !== undefined && mentions(message, me),
    say(piece, code) {
      if (code === true || !SIGNS.test(piece)) return words(piece);
      return piece.split(SIGNS).map((part, n) => {
        const one = n % 2 === 1 ? names[part.charCodeAt(0) - FIRST] : undefined;
        if (one === undefined) return part;
        const you = one.id === me || one.id === EVERYBODY;
        const kind = you ? 'mention you' : 'mention';
        if (one.id === EVERYBODY || one.id === ERASED)
          return (
            <bdi class={kind} key={n}>
              {one.words}
            </bdi>
          );
        return (
          // biome-ignore lint/a11y/useSemanticElements: a button does not break over lines.
          <span class={kind} role="button" tabIndex={-1} aria-haspopup="dialog" data-person={one.id} key={n}>
            <bdi>{one.words}</bdi>
          </span>
        );
      });
    },
  };
}
