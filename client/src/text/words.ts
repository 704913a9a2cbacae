import { type LinkWords, plain } from '../../../server/text/format.ts';
import type { LastMessage, MessageFile } from '../../../server/wire/events.ts';
import type { Strings } from '../strings/strings.ts';
import { clock } from './clock.ts';

/**
 * Returns the text of a message. If it is only the reference of a card, it is for clients without cards.
 *
 * @param card - true for the last message of a room
 */
export const textOf = ({ text, card }: { text: string; card?: string | true }, strings: Strings): string =>
  card === true || (text !== '' && text === card) ? strings.text('card.label') : text;

/** Returns the text of a message, followed by the names or descriptions of its files. */
export function wordsOf(
  text: string,
  files: readonly Pick<MessageFile, 'alt' | 'name' | 'audio'>[] | undefined,
  strings: Strings,
  linked?: LinkWords,
): string {
  const words = (files ?? []).map(({ alt, name, audio: { peaks, duration = 0 } = {} }) => {
    return (
      alt ?? (peaks === undefined ? name : strings.text('voice.label', { time: clock(duration, strings) }))
    );
  });
  return [plain(text, linked), strings.list(words)].filter(Boolean).join(' · ');
}

/** Returns a message as one line, for the list of rooms or the list of pins. */
export function lastWords(
  {
    voice,
    files = 1,
    pictures,
    ...last
  }: Pick<LastMessage, 'text' | 'card' | 'voice' | 'files' | 'pictures'>,
  strings: Strings,
): string {
  const line = plain(textOf(last, strings)).replace(/\s+/gu, ' ');
  if (line !== '') return line;
  return voice === undefined
    ? strings.count(files === pictures ? 'file.pictures' : 'file.files', files)
    : strings.text('voice.label', { time: clock(voice, strings) });
}
