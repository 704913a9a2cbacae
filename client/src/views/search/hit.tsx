import type { Message } from '../../../../server/wire/events.ts';
import { type Strings, startOfDay } from '../../strings/strings.ts';
import { snippet } from '../../text/snippet.ts';
import { textOf, wordsOf } from '../../text/words.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { Avatar } from '../people/avatar.tsx';
import { shortDate } from '../rooms/list-time.ts';

interface Props {
  readonly context: Context;
  readonly message: Message;
  readonly query: string;
  /** Whether the hits are from several rooms. */
  readonly everywhere: boolean;
  choose(): void;
}

/** A message that was found. */
export function Hit({ context, message, query, everywhere, choose }: Props) {
  const { strings, chat } = context;
  const { before, found, after } = snippet(
    textOf(message, strings) || wordsOf('', message.files, strings),
    query,
  );
  const instead = context.instead(message);
  return (
    <button type="button" class="hit" tabIndex={-1} onClick={choose}>
      <small>
        <b>
          <bdi>{message.user.id === chat.me?.id ? strings.text('msg.you') : strings.name(message.user)}</bdi>
        </b>
        {everywhere && <Where context={context} id={message.room} />}
        <time dateTime={new Date(message.sentAt).toISOString()} title={strings.fullTime(message.sentAt)}>
          {sentAt(message.sentAt, strings)}
        </time>
      </small>
      <Avatar user={message.user} />
      <p>{instead ?? [before, <mark key="found">{found}</mark>, after]}</p>
    </button>
  );
}

function Where({ context: { chat, strings }, id }: { readonly context: Context; readonly id: string }) {
  const summary = chat.rooms.get(id)?.summary;
  if (summary === undefined) return null;
  const { kind } = summary;
  return (
    <>
      <Icon name={kind === 'direct' ? 'bubble' : kind === 'private' ? 'lock' : 'hash'} />
      <bdi>{strings.roomName(summary)}</bdi>
    </>
  );
}

/** Returns the time, before today with the day. */
function sentAt(at: number, strings: Strings, now = strings.now): string {
  if (startOfDay(at) === startOfDay(now)) return strings.time(at);
  return strings.onDay(shortDate(at, strings.locale, now), at);
}
