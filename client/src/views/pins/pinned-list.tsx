import type { Pin } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Empty } from '../controls/empty.tsx';
import { IconButton } from '../controls/icon.tsx';
import { listTime } from '../rooms/list-time.ts';
import { pinnedWords, setPinned } from './pinning.ts';

interface Props {
  readonly context: Context;
  readonly room: Room;
  /** Shows the message in the timeline. */
  go(pin: Pin): void;
}

/** All pinned messages of a room, the latest pin first. */
export function PinnedList({ context, room, go }: Props) {
  const { strings } = context;
  if (room.pins.length === 0)
    return (
      <Empty picture="pin" title={strings.text('pin.none.title')} text={strings.text('pin.none.text')} />
    );
  return (
    <ul class="pinneds">
      {room.pins.map((pin) => (
        <li class="pinned" key={pin.seq}>
          <PinnedMessage context={context} room={room} pin={pin} go={go} />
        </li>
      ))}
    </ul>
  );
}

function PinnedMessage({ context, room, pin, go }: Props & { readonly pin: Pin }) {
  const { chat, strings } = context;
  const me = chat.me?.id;
  return (
    <>
      <button type="button" onClick={() => go(pin)}>
        <small>
          <b>
            <bdi>{pin.user.id === me ? strings.text('msg.you') : strings.name(pin.user)}</bdi>
          </b>
          <time dateTime={new Date(pin.sentAt).toISOString()} title={strings.fullTime(pin.sentAt)}>
            {listTime(pin.sentAt, strings)}
          </time>
        </small>
        <p>{pinnedWords(pin, context)}</p>
        <span class="by-pin">
          {pin.by.id === me
            ? strings.text('pin.byYou')
            : strings.text('pin.by', { name: strings.name(pin.by) })}
        </span>
      </button>
      {room.summary.may.includes('pin') && (
        <IconButton
          name="close"
          label={strings.text('pin.remove')}
          press={() => setPinned(room, pin, false, context)}
        />
      )}
    </>
  );
}
