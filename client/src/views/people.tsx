import type { RefObject } from 'preact';
import { Avatar } from './avatar.tsx';
import type { Context } from './context.ts';
import { Empty } from './empty.tsx';
import { Icon } from './icon.tsx';
import { RovingList } from './roving-list.tsx';

interface Props {
  readonly context: Context;
  readonly closer: RefObject<HTMLButtonElement | null>;
  close(): void;
}

/** "Here now": who has the room open. */
export function People({ context: { chat, strings }, closer, close }: Props) {
  const { compare } = new Intl.Collator(strings.locale);
  const present = [...(chat.current?.present ?? [])].sort((a, b) => compare(a.name, b.name));
  const count = chat.current?.presentCount ?? 0;
  const heading = strings.text('people.heading');
  return (
    <aside class="pane side" part="people" aria-label={heading}>
      <div class="bar">
        <h2>
          <span>{heading}</span>
          <small>{count === 0 ? '' : count}</small>
        </h2>
        <button
          type="button"
          class="icon"
          aria-label={strings.text('common.close')}
          ref={closer}
          onClick={close}
        >
          <Icon name="close" />
        </button>
      </div>
      <RovingList items=".person" label={heading}>
        <ul>
          {present.map((user) => (
            <li key={user.id}>
              <div class="person" tabIndex={-1}>
                <Avatar user={user} />
                <span class="name">
                  <bdi>{user.name}</bdi>
                </span>
                {user.id === chat.me?.id && <small>{strings.text('people.you')}</small>}
              </div>
            </li>
          ))}
        </ul>
        {count > present.length && (
          <p class="note">{strings.text('people.more', { n: count - present.length })}</p>
        )}
        {count === 1 && (
          <Empty
            picture="people"
            title={strings.text('people.empty.title')}
            text={strings.text('people.empty.text')}
          />
        )}
      </RovingList>
    </aside>
  );
}
