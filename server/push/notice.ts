import type { StoredMessage } from '../history/history.ts';
import { describeFile, isOnlyCard, nameFor, toLine } from '../notify/lines.ts';
import type { NotifySettings } from '../notify/settings.ts';
import type { NotificationTexts } from '../notify/texts.ts';
import type { UnreadRoom } from '../notify/unread.ts';
import { withShownHosts } from '../text/links.ts';

/** Maximum characters of the message text in a push. */
const longestText = 140;
/** With more unread rooms than this, a push does not list them. 20 IDs of 64 characters take a third of a push. */
const mostListed = 20;

/** The site, as pushes show it. */
export interface PushSite {
  name: string | undefined;
  /** The address of the logo. */
  icon: string | undefined;
}

export interface Notice {
  site: PushSite;
  room: UnreadRoom;
  /** The latest message that concerns the user, with the names that the user may see. */
  message: Pick<StoredMessage, 'user' | 'text' | 'files' | 'card'>;
  shows: NotifySettings['text'];
  texts: NotificationTexts;
  /** All rooms with unread messages that concern the user. */
  unread: readonly UnreadRoom[];
  /** The number of these messages. */
  total: number;
  /** The time just before the unread messages were fetched, as Unix ms. */
  at: number;
  /** The page that a click opens. */
  page: string;
  /** Whether the push is silent, because another push about this room just made a sound. */
  silent: boolean;
}

/** Identifies what a push is about. A later push about the same replaces it on the device and at the push service. */
export const subjectOf = ({ room, reminder, newest }: UnreadRoom): string =>
  reminder ? `${room} ${newest}` : room;

/**
 * Builds the data of a push to an app, which fetches the message itself.
 * @param unread the number of unread messages in all rooms; `expired`: the login expired, but the app may get a new one
 */
export function dataForApp(room: UnreadRoom, unread: number | 'expired'): Record<string, string> {
  return {
    room: room.room,
    seq: String(room.newest),
    ...(unread === 'expired' ? { expired: 'true' } : { unread: String(unread) }),
    // The app must not open the room, because that would make the user a member.
    ...(room.member === undefined ? { member: 'false' } : {}),
    ...(room.withheld === undefined ? {} : { accepted: 'false' }),
    ...(room.reminder ? { reminder: 'true' } : {}),
  };
}

/**
 * Builds a declarative push message (https://w3c.github.io/push-api/#declarative-push-message). Some browsers show it
 * without a service worker.
 */
export function noticeOf({
  site,
  room,
  message,
  shows,
  texts,
  unread,
  total,
  at,
  page,
  silent,
}: Notice): object {
  const { lang, direction: dir } = texts;
  const rooms = unread.length > mostListed ? {} : { unread: unread.map(({ room }) => room) };
  return {
    web_push: 8030,
    notification: {
      ...wordsOf(site, room, message, shows, texts),
      ...iconOf(site),
      lang,
      dir,
      navigate: `${page}#m=${room.room}/${room.newest}`,
      tag: `php-chat ${subjectOf(room)}`,
      silent,
      app_badge: String(total),
      data: { room: room.room, seq: room.newest, at, ...rooms },
    },
  };
}

/** Builds a push without names for an expired login, because another person may use the browser now. */
export function namelessNotice(site: PushSite, texts: NotificationTexts, page: string): object {
  const { lang, direction: dir } = texts;
  const words = { ...anonymous(site, texts), ...iconOf(site) };
  return {
    web_push: 8030,
    notification: { ...words, lang, dir, navigate: page, tag: 'php-chat', silent: false },
  };
}

const iconOf = ({ icon }: PushSite) => (icon === undefined ? {} : { icon });

/** Returns the words of a push that names neither users nor rooms. */
function anonymous({ name }: PushSite, texts: NotificationTexts, count = ''): Words {
  const message = texts.text('message');
  const body = name === undefined ? count : count || message;
  return { title: name ?? message, body: body || undefined };
}

interface Words {
  title: string;
  body?: string;
}

function wordsOf(
  site: PushSite,
  room: UnreadRoom,
  message: Notice['message'],
  shows: Notice['shows'],
  texts: NotificationTexts,
): Words {
  const reminder = room.reminder ? texts.text('reminder') : '';
  const count = reminder || (room.unread > 1 ? texts.count('new', room.unread) : '');
  if (shows === 'nothing' || room.withheld === 'all') return anonymous(site, texts, count);
  const author = toLine(message.user.name);
  const name = toLine(nameFor(room, shows, texts));
  const title = room.withheld ? name : room.kind === 'direct' ? author : `${author} · ${name}`;
  if (shows === 'name' || room.withheld) return { title, body: count === '' ? texts.text('message') : count };
  const [file] = message.files ?? [];
  const said = [
    ...toLine(isOnlyCard(message) ? texts.text('card') : withShownHosts(message.text), longestText + 1),
  ];
  const text = said.length > longestText ? `${said.slice(0, longestText).join('')}…` : said.join('');
  const body = text === '' && file !== undefined ? describeFile(file, texts) : text;
  if (reminder !== '') return { title: `${reminder}: ${title}`, body };
  return { title, body: count === '' ? body : `${body}\n${count}` };
}
