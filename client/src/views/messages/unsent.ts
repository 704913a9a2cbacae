import type { Context, UnsentActions, Writing } from '../context.ts';
import { refusal } from '../refusal.ts';

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
