import { Component } from 'preact';
import type { RoomSummary } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import type { Texts } from '../../strings/language-texts.ts';
import { atMost99, startOfDay } from '../../strings/strings.ts';
import { codePoints } from '../../text/paste.ts';
import { lastWords } from '../../text/words.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { listTime } from './list-time.ts';
import { RoomFace } from './room-face.tsx';

/** The maximum length of an author's name before the last message, unless its first word is longer. */
const SHORT_NAME = 12;

interface Props {
  readonly context: Context;
  readonly room: Room;
  /** The summary at the time of rendering. Each message replaces it, while the room stays the same object. */
  readonly summary: RoomSummary;
  readonly texts: Texts;
  readonly unread: number;
  readonly fresh: boolean;
  readonly current: boolean;
  /** Whether the room does not match the search. */
  readonly hidden: boolean;
  /** The user's draft, if the room is not visible. */
  readonly draft: string | undefined;
  /** The user is deleting the last message. */
  readonly deleting: boolean;
  /** Replaces the last message if its author is blocked. */
  readonly instead: string | undefined;
}

/** One of the user's rooms. The first line has the name and the time of the last message, the second its text. */
export class RoomRow extends Component<Props> {
  #day = 0;

  override shouldComponentUpdate(next: Props): boolean {
    const { summary, texts, unread, fresh, current, hidden, instead, deleting, draft } = this.props;
    return (
      hidden !== next.hidden ||
      instead !== next.instead ||
      deleting !== next.deleting ||
      draft !== next.draft ||
      summary !== next.summary ||
      unread !== next.unread ||
      fresh !== next.fresh ||
      current !== next.current ||
      texts !== next.texts ||
      // "Yesterday" is wrong after midnight.
      this.#day !== startOfDay(next.context.strings.now)
    );
  }

  override render() {
    const { context, room, summary, unread, fresh, current, hidden } = this.props;
    const { strings } = context;
    const { last } = summary;
    this.#day = startOfDay(strings.now);
    return (
      <li hidden={hidden}>
        <button
          type="button"
          class={(unread > 0 && !room.muted) || fresh ? 'room two unread' : 'room two'}
          aria-current={current || undefined}
          tabIndex={-1}
          data-key={room.id}
          onClick={() => context.open(room.id)}
        >
          <RoomFace summary={summary} size={summary.present === true ? 'here' : ''} />
          <span class="what">
            <span class="l1">
              <span class="name">
                <bdi>{strings.roomName(summary)}</bdi>
                <span class="vh">{this.#about()}</span>
              </span>
              {last !== undefined && (
                <time dateTime={new Date(last.sentAt).toISOString()} title={strings.fullTime(last.sentAt)}>
                  {listTime(last.sentAt, strings)}
                </time>
              )}
            </span>
            <span class="l2">
              <span class="last">{this.#last()}</span>
              {room.muted && <Icon name="bellOff" size="s" />}
              {!!summary.reports && (
                <span class="badge flag" aria-hidden="true">
                  <Icon name="flag" size="s" />
                  {atMost99(summary.reports)}
                </span>
              )}
              {(unread > 0 || room.mentions > 0 || fresh) && (
                <span class={room.muted ? 'badge quiet' : 'badge'} aria-hidden="true">
                  {room.mentions > 0 && '@'}
                  {unread > 0 ? atMost99(unread) : room.mentions === 0 && strings.text('timeline.new')}
                </span>
              )}
            </span>
          </span>
        </button>
      </li>
    );
  }

  /** Describes the icons and colours in words. */
  #about(): string {
    const { context, room, summary, unread, fresh } = this.props;
    const { strings } = context;
    const words = [
      summary.kind === 'private' && strings.text('rooms.private'),
      summary.kind === 'direct' && strings.text('rooms.direct'),
      summary.kind === 'direct' && summary.present === true && strings.text('rooms.here'),
      unread > 0 ? strings.text('rooms.unread', { n: unread }) : fresh && strings.text('timeline.new'),
      room.mentions > 0 && strings.text('rooms.mentioned'),
      !!summary.reports && strings.count('rooms.reports', summary.reports),
      room.muted && strings.text('rooms.muted'),
      summary.favourite !== undefined && strings.text('rooms.favourite'),
    ];
    return words.map((word) => (word === false ? '' : `, ${word}`)).join('');
  }

  /** Returns the last message with its author, such as "Bob: …". For the peer of a direct room, only the text. */
  #last() {
    const { context, summary, instead, deleting, draft } = this.props;
    const { chat, strings } = context;
    const { last } = summary;
    if (draft) {
      return (
        <>
          <span class="draft">{strings.text('rooms.draft')} </span>
          <bdi>{draft.replace(/\s+/gu, ' ')}</bdi>
        </>
      );
    }
    if (instead) return <bdi>{instead}</bdi>;
    if (last === undefined) return <bdi>{strings.text('rooms.lastNone')}</bdi>;
    const text =
      last.deletedAt === undefined && !deleting ? lastWords(last, strings) : strings.text('msg.deleted');
    const own = last.user.id === chat.me?.id;
    if (summary.kind === 'direct' && !own) return <bdi>{text}</bdi>;
    const name = <bdi>{own ? strings.text('msg.you') : shortName(strings.name(last.user))}</bdi>;
    // The language decides the text around the name.
    const [around = '', after] = strings.text('rooms.last').split('{text}');
    return (
      <>
        <span class="by-last">
          {around.split(/(\{name\})/).map((part) => (part === '{name}' ? name : part))}
        </span>
        <bdi>{text}</bdi>
        {after}
      </>
    );
  }
}

/** The first words of a long name, so that the row has space for the message. */
function shortName(name: string): string {
  const [first = '', ...rest] = name.split(' ');
  return rest.reduce((short, word) => {
    const longer = `${short} ${word}`;
    return name.startsWith(longer) && codePoints(longer) <= SHORT_NAME ? longer : short;
  }, first);
}
