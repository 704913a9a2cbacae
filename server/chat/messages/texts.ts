import { isBlank } from '../../text/blank.ts';
import { firstPage } from '../../text/format.ts';
import { RequestError } from '../../wire/errors.ts';
import type { User } from '../../wire/events.ts';
import { isGuest } from '../../wire/guest.ts';
import type { Chat } from '../chat.ts';

/**
 * Checks the text of a message.
 * @param mayBeBlank whether the message has files, or may have some
 * @throws RequestError `bad_request` or `too_long`
 */
export function checkText(text: string, maxText: number, mayBeBlank = false): void {
  // A lone surrogate cannot be stored as UTF-8, so the stored text would differ.
  if (!text.isWellFormed()) throw new RequestError('bad_request', 'text contains half of a surrogate pair');
  // Matches C0 control characters except tab and line feed. DEL and C1 are also `Cc`, but allowed.
  if (/(?![\t\n\x7f-\x9f])\p{Cc}/u.test(text)) {
    throw new RequestError('bad_request', 'text contains a control character');
  }
  if (!mayBeBlank && isBlank(text)) throw new RequestError('bad_request', 'text is blank');
  // A text has at most as many code points as UTF-16 units, so most texts need no counting.
  if (text.length > maxText && [...text].length > maxText) throw new RequestError('too_long');
}

/** Returns the page that the server fetches for a message. Guests cannot make it fetch pages. */
export const pageToPreview = (
  { previews }: Pick<Chat, 'previews'>,
  { id }: Pick<User, 'id'>,
  text: string,
): string | undefined => (previews === undefined || isGuest(id) ? undefined : (firstPage(text) ?? undefined));
