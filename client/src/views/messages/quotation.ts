import type { Message } from '../../../../server/wire/events.ts';
import { wordsOf } from '../../text/words.ts';
import type { Context } from '../context.ts';

/** The author and the text of a quotation, as far as they are known and may be seen. */
export function quotation(message: Message | undefined, context: Context): { name: string; line: string } {
  const { strings } = context;
  const line =
    context.instead(message) ??
    (message?.deletedAt === undefined
      ? wordsOf(message?.text ?? '', message?.files, strings, context.linked)
      : strings.text('msg.deleted'));
  return {
    name: message ? strings.name(message.user) : '…',
    line: line.replace(/\s+/gu, ' ').slice(0, 200).toWellFormed(),
  };
}
