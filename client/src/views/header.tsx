import type { RefObject } from 'preact';
import { atMost99 } from '../strings/strings.ts';
import type { Context } from './context.ts';
import { Icon, IconButton } from './controls/icon.tsx';
import type { DetailsTab } from './details/details-pane.tsx';
import { Whereabouts } from './people/whereabouts.tsx';
import { RoomFace } from './rooms/room-face.tsx';

interface Props {
  readonly context: Context;
  /** The connection is lost, so presence is unknown. */
  readonly lost: boolean;
  readonly title: RefObject<HTMLHeadingElement | null>;
  back(): void;
  /** Whether the details of the room are open, and the selected tab. */
  readonly detailed: boolean;
  readonly tab: DetailsTab | undefined;
  /** Without `tab`, opens the last selected tab. */
  toggleDetails(tab?: DetailsTab): void;
  /** Undefined if the header is too narrow. The room's menu offers the search then. */
  search: (() => void) | undefined;
}

/** The room's header: back button, name, number of users online, search and menu. */
export function Header(props: Props) {
  const { context, lost, title, back, tab, toggleDetails, search } = props;
  const { chat, strings } = context;
  const room = chat.current;
  const unread = room === undefined || room.muted ? 0 : chat.unreadIn(room);
  const elsewhere = chat.unread - unread;
  const label = strings.text('rooms.back');
  // The user counts too, so 0 means that presence is not loaded yet.
  const count = lost || !room?.presentCount ? '–' : room.presentCount;
  const heading = strings.text('people.heading');
  return (
    <div class="bar" part="header">
      <button
        type="button"
        class={elsewhere > 0 ? 'icon back wide' : 'icon back'}
        aria-label={strings.list([label, elsewhere > 0 && strings.text('rooms.unread', { n: elsewhere })])}
        onClick={back}
      >
        <Icon name="back" />
        {elsewhere > 0 && (
          <span class="badge" aria-hidden="true">
            {atMost99(elsewhere)}
          </span>
        )}
      </button>
      <h2 tabIndex={-1} ref={title}>
        {room !== undefined && <Title {...props} key={room.id} />}
      </h2>
      <div class="tail">
        {room !== undefined && room.summary.kind !== 'direct' && (
          <button
            type="button"
            class="icon wide"
            aria-label={`${heading}: ${count}`}
            aria-expanded={tab === 'people'}
            onClick={() => toggleDetails('people')}
          >
            <Icon name="people" />
            {/* The number of members limits the count, which comes later and must not make the name narrower. */}
            <span style={{ minInlineSize: `${`${room.summary.members}`.length}ch` }} aria-hidden="true">
              {count}
            </span>
          </button>
        )}
        {room !== undefined && search !== undefined && (
          <IconButton name="search" label={strings.text('search.inRoom')} press={search} />
        )}
        {room !== undefined && (
          <button
            type="button"
            class="icon"
            aria-label={strings.text('rooms.menu')}
            aria-haspopup="menu"
            aria-expanded="false"
            onClick={(event) => context.menu({ kind: 'room', room }, event.currentTarget)}
          >
            <Icon name="dots" />
          </button>
        )}
        <slot name="header-end" />
      </div>
    </div>
  );
}

/** The name of the room, which opens its details. */
function Title({ context, lost, detailed, toggleDetails }: Props) {
  const { chat, strings } = context;
  const { current } = chat;
  if (current === undefined) return null;
  const { kind, topic, present } = current.summary;
  return (
    <>
      <RoomFace summary={current.summary} size={present === true ? 's here' : 's'} />
      <button type="button" class="titles" aria-expanded={detailed} onClick={() => toggleDetails()}>
        <bdi>{strings.roomName(current.summary)}</bdi>
        {current.muted && <span class="vh">, {strings.text('rooms.muted')}</span>}
        {topic !== undefined && <small title={topic}>{topic}</small>}
        {kind === 'direct' && !lost && <Whereabouts context={context} summary={current.summary} />}
      </button>
      {current.muted && <Icon name="bellOff" size="s" />}
    </>
  );
}
