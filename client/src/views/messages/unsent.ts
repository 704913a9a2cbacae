import type { Entry, Unsent } from '../../store/entries.ts';
import type { Strings } from '../../strings/strings.ts';
import type { Context, Writing } from '../context.ts';
import { refusal } from '../refusal.ts';

/** Actions on the user's own messages that are not in the room: unsent, pending approval, or rejected. */
export interface UnsentActions {
  retry(entry: Entry): void;
  discard(entry: Entry): void;
  /** Puts the text back into the field and discards the message. */
  again(entry: Entry): void;
}

/** Whether `again` puts the whole message back, because the field takes only its text. */
export const isOnlyText = ({ files, card }: Unsent) => !files?.length && card === undefined;

export function unsentActions(
  { chat, strings, toast }: Pick<Context, 'chat' | 'strings' | 'toast'>,
  writing: Pick<Writing, 'again'>,
  focus: () => void,
): UnsentActions {
  const discard: UnsentActions['discard'] = ({ unsent }) => {
    if (unsent === undefined) return;
    chat.discard(unsent).then(focus, (error) => toast(refusal(error, strings), 'bad'));
  };
  return {
    retry: ({ unsent }) => unsent !== undefined && chat.outbox?.retry(unsent),
    discard,
    again(entry) {
      writing.again(entry);
      discard(entry);
    },
  };
}

/** The text for a message that a moderator rejected. */
export function rejectedWords(reason: string | undefined, strings: Strings): string {
  return reason === undefined
    ? strings.text('held.rejected')
    : strings.text('held.rejectedWhy', { text: reason });
}
