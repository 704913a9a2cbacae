import type { Entry } from '../../store/entries.ts';
import type { Context, Writing } from '../context.ts';
import { refusal } from '../refusal.ts';

/** Actions on the user's own messages that are not in the room: unsent, pending approval, or rejected. */
export interface UnsentActions {
  retry(entry: Entry): void;
  discard(entry: Entry): void;
  /** Puts the text back into the field and discards the message. */
  again(entry: Entry): void;
}

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
