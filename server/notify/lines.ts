import type { StoredMessage } from '../history/history.ts';
import { directionMarks, visibleLine } from '../text/blank.ts';
import type { NotifySettings } from './settings.ts';
import type { NotificationTexts } from './texts.ts';
import type { UnreadRoom } from './unread.ts';

/** Makes one visible line of a name or another short text of a user. @param maxCharacters cuts the line off */
export const toLine = (text: string, maxCharacters = 80) =>
  visibleLine(text.replace(directionMarks, ''), maxCharacters);

/** Returns the name of a room for its reader. That of a question is shown like texts, because it is the start of one. */
export const nameFor = (
  { name, isQuestion }: Pick<UnreadRoom, 'name' | 'isQuestion'>,
  shows: NotifySettings['text'],
  texts: NotificationTexts,
): string => (isQuestion && shows !== 'text' ? texts.text('questions') : name);

/** Returns the URL at which the client opens a message. */
export const linkTo = (pageUrl: string, room: string, seq: number) => `${pageUrl}#m=${room}/${seq}`;

/** Whether the text is only the reference of a card, for clients without cards. */
export const isOnlyCard = ({ text, card }: Pick<StoredMessage, 'text' | 'card'>) =>
  card !== undefined && card === text;

/** Describes a file of a message. */
export function describeFile(
  { name, alt, image, audio }: NonNullable<StoredMessage['files']>[number],
  texts: NotificationTexts,
): string {
  if (image) return texts.text('picture', { alt: toLine(alt || name) });
  if (audio?.peaks === undefined) return texts.text('file', { name: toLine(name) });
  const seconds = Math.round((audio.duration ?? 0) / 1000);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  return texts.text('voice', { time });
}
