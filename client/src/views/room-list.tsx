import type { User } from '../../../server/events.ts';
import type { Chat } from '../chat.ts';
import { byName, type Room } from '../store/room.ts';
import type { Strings } from '../strings.ts';
import { Avatar } from './avatar.tsx';
import type { Context } from './context.ts';
import { Empty } from './empty.tsx';
import { Icon } from './icon.tsx';
import { RovingList } from './roving-list.tsx';

/** The left pane: rooms, then direct ones, and below who one is. */
export function RoomList({ context }: { context: Context }) {
  const { chat, strings } = context;
  const rooms = byName(chat.rooms.values(), strings.locale);
  const label = strings.text('rooms.list');
  const parts = [
    { heading: label, rooms: rooms.filter((room) => room.summary.kind !== 'direct') },
    { heading: strings.text('rooms.direct'), rooms: rooms.filter((room) => room.summary.kind === 'direct') },
  ];
  return (
    <nav class="pane rooms" part="rooms" aria-label={label}>
      <div class="bar">
        <h2>
          <span>{strings.text('rooms.heading')}</span>
        </h2>
      </div>
      <RovingList items=".room" label={label} preferred="[aria-current]">
        {parts.map(
          (part) =>
            part.rooms.length > 0 && [
              <h3 class="section" key={`heading ${part.heading}`}>
                {part.heading}
              </h3>,
              <ul key={part.heading}>
                {part.rooms.map((room) => (
                  <Row key={room.id} room={room} context={context} />
                ))}
              </ul>,
            ],
        )}
        {chat.me !== undefined && rooms.length === 0 && (
          <Empty
            picture="hash"
            title={strings.text('empty.rooms.title')}
            text={strings.text('empty.rooms.text')}
          />
        )}
      </RovingList>
      <Me chat={chat} strings={strings} />
    </nav>
  );
}

function Row({ room, context }: { room: Room; context: Context }) {
  const { chat, strings } = context;
  const { kind, name, id } = room.summary;
  const unread = chat.unreadIn(room);
  const other = room.present.find((user) => user.id !== chat.me?.id);
  return (
    <li>
      <button
        type="button"
        class={unread > 0 ? 'room unread' : 'room'}
        aria-current={room === chat.current || undefined}
        tabIndex={-1}
        onClick={() => context.open(room.id)}
      >
        <span class="lead">
          {kind === 'direct' ? (
            <Avatar user={other ?? { id, name }} kind={other === undefined ? 's' : 's here'} />
          ) : (
            <Icon name={kind === 'private' ? 'lock' : 'hash'} />
          )}
        </span>
        <span class="name">
          <bdi>{name}</bdi>
          <span class="vh">{about(room, other, strings)}</span>
        </span>
        {unread > 0 && (
          <span class="badge">
            <span aria-hidden="true">{unread > 99 ? '99+' : unread}</span>
            <span class="vh">{strings.text('rooms.unread', { n: unread })}</span>
          </span>
        )}
      </button>
    </li>
  );
}

/** What the picture beside the name says. */
function about(room: Room, other: User | undefined, strings: Strings): string {
  if (room.summary.kind === 'private') return `, ${strings.text('rooms.private')}`;
  if (room.summary.kind === 'public') return '';
  const here = other === undefined ? '' : `, ${strings.text('rooms.here')}`;
  return `, ${strings.text('rooms.direct')}${here}`;
}

function Me({ chat, strings }: { chat: Chat; strings: Strings }) {
  const { me, connection } = chat;
  if (me === undefined) return <div class="me" />;
  const ready = connection.state.kind === 'ready';
  const words = ready ? 'conn.connected' : navigator.onLine ? 'conn.connecting' : 'msg.waiting';
  return (
    <div class="me">
      <Avatar user={me} kind={ready ? 'here' : ''} />
      <div>
        <b>
          <bdi>{me.name}</bdi>
        </b>
        <small>{strings.text(words)}</small>
      </div>
    </div>
  );
}
