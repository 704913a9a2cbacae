import type { RefObject } from 'preact';
import type { Context } from './context.ts';
import { Icon } from './icon.tsx';

interface Props {
  readonly context: Context;
  readonly peopleShown: boolean;
  readonly title: RefObject<HTMLHeadingElement | null>;
  readonly people: RefObject<HTMLButtonElement | null>;
  back(): void;
  togglePeople(): void;
}

/** The room's name, the way back where there is one pane, and how many people are here. */
export function Header({
  context: { chat, strings },
  peopleShown,
  title,
  people,
  back,
  togglePeople,
}: Props) {
  const room = chat.current;
  const elsewhere = chat.unread - (room === undefined ? 0 : chat.unreadIn(room));
  const label = strings.text('rooms.back');
  const count = room?.presentCount ?? 0;
  return (
    <div class="bar" part="header">
      <button
        type="button"
        class={elsewhere > 0 ? 'icon back wide' : 'icon back'}
        aria-label={elsewhere > 0 ? `${label}, ${strings.text('rooms.unread', { n: elsewhere })}` : label}
        onClick={back}
      >
        <Icon name="back" size="flip" />
        {elsewhere > 0 && (
          <span class="badge" aria-hidden="true">
            {elsewhere > 99 ? '99+' : elsewhere}
          </span>
        )}
      </button>
      <h2 tabIndex={-1} ref={title}>
        {room !== undefined && room.summary.kind !== 'direct' && (
          <Icon name={room.summary.kind === 'private' ? 'lock' : 'hash'} />
        )}
        {room !== undefined && <bdi>{room.summary.name}</bdi>}
      </h2>
      {room !== undefined && (
        <button
          type="button"
          class="icon wide"
          aria-label={`${strings.text('people.heading')}: ${count}`}
          aria-pressed={peopleShown}
          ref={people}
          onClick={togglePeople}
        >
          <Icon name="people" />
          <span aria-hidden="true">{count}</span>
        </button>
      )}
    </div>
  );
}
