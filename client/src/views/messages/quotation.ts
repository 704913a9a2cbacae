import type { Message } from '../../../../server/wire/events.ts';
import { textOf, wordsOf } from '../../text/words.ts';
import type { Context } from '../context.ts';

/** Returns the author and text of a quoted message, or placeholders if it is not loaded, deleted or hidden. */
export function quotation(message: Message | undefined, context: Context): { name: string; line: string } {
  const { strings } = context;
  const line =
    context.instead(message) ??
    (message?.deletedAt === undefined
      ? wordsOf(message ? textOf(message, strings) : '', message?.files, strings, context.linked)
      : strings.text('msg.deleted'));
  return {
    name: message ? strings.name(message.user) : '…',
    line: line.replace(/\s+/gu, ' ').slice(0, 200).toWellFormed(),
  };
}
