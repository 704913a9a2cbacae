import { optionOf } from '../../../../server/wire/polls.ts';
import type { Entry } from '../../store/entries.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import type { MessageActions } from './message.tsx';
import { isFresh, isMine, react } from './react.ts';

/** The reactions to a message. A click gives the same reaction, or takes back the user's own. */
export function reactions(entry: Entry, context: Context, open: MessageActions['menu']) {
  const { chat, strings } = context;
  const { message } = entry;
  const given = message?.reactions?.filter(({ emoji }) => optionOf(emoji) === 0) ?? [];
  if (message === undefined || given.length === 0) return null;
  return (
    <fieldset class="reacts" aria-label={strings.text('react.label')}>
      {given.map((reaction) => {
        const { emoji, count } = reaction;
        return (
          <button
            type="button"
            class={isFresh(message, emoji) ? 'react fresh' : 'react'}
            tabIndex={-1}
            key={emoji}
            data-emoji={emoji}
            aria-pressed={isMine(reaction, chat.me?.id)}
            onClick={() => void react(context, message, emoji)}
          >
            <span>{emoji}</span> {count}
          </button>
        );
      })}
      {message.user.id !== chat.me?.id && (
        <button
          type="button"
          class="react add"
          tabIndex={-1}
          aria-label={strings.text('react.add')}
          aria-haspopup="menu"
          aria-expanded="false"
          onClick={(event) => open(entry, event.currentTarget, '+')}
        >
          <Icon name="react" />
        </button>
      )}
    </fieldset>
  );
}
