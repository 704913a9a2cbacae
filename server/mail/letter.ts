import { everybody, type StoredMessage } from '../history/history.ts';
import { describeFile, isOnlyCard, linkTo, toLine } from '../notify/lines.ts';
import { messagesOfMail, roomsOfMail } from '../notify/mail-bounds.ts';
import type { NotificationTexts } from '../notify/texts.ts';
import { directionMarks } from '../text/blank.ts';
import { links } from '../text/links.ts';
import type { RoomKind, User } from '../wire/events.ts';
import { isGuest } from '../wire/guest.ts';

/** Messages of an author with longer pauses are not grouped, because each has another time. */
const groupMs = 3_600_000;
/** Maximum characters and lines of a message. Mails should be short, and mail programs cut long ones. */
const longest = { text: 320, lines: 8 };

/**
 * Inserts spaces into a user's text where a mail program would detect an address and link it, even in plain text. Only
 * a space stops all programs, because some ignore invisible characters, as browsers do in host names.
 */
const unlinked = (characters: readonly string[]): string[] =>
  characters.map((one, n) => {
    const before = characters[n - 1] ?? '';
    const rest = characters.slice(n + 1, n + 7).join('');
    return isInAddress(before, one, rest) ? `${one} ` : one;
  });

/** Whether a space is needed after `one`. Times, numbers with one dot and file names stay unchanged. */
function isInAddress(before: string, one: string, rest: string): boolean {
  if (one === ':') return /[^\s\p{N}]/u.test(before) && /^\S/.test(rest);
  if (/^[@＠]$/.test(one)) return /\S/.test(before) && /^[^\s\p{P}]/u.test(rest);
  if (!/^[.。．｡․]$/.test(one) || fileType.test(rest)) return false;
  return /^[^\s\p{N}\p{P}]/u.test(rest) || /^\d{1,3}\.\d/.test(rest);
}

/** Extensions of file names. None of these is a top-level domain. */
const fileType =
  /^(?:avif|csv|dat|docx?|eml|gif|heic|ics|jpe?g|mp[34]|od[st]|pdf|png|pptx?|rtf|txt|webp|xlsx?)(?![^\s\p{P}])/iu;

/**
 * Control characters that a message may contain. Some mail programs end a line at U+0085, but the regular expressions
 * that quote lines do not.
 */
const control = /[\x7f-\x9f]/g;

/** A room with unread messages. */
export interface UnreadIn {
  room: string;
  kind: RoomKind;
  name: string;
  unread: number;
  mentions: number;
  /** The `seq` of the messages that the user wanted to be reminded of. */
  reminders?: readonly number[];
  /** The `seq` of the first unread message. */
  from: number;
  /** The first few unread messages, even if the mail does not show texts. Empty if they are `withheld`. */
  messages: readonly StoredMessage[];
  /** User texts that the mail must not show. `all` includes the name of the room. */
  withheld?: 'all' | 'messages';
}

/** The content of a mail. */
export interface Letter {
  /** The title, which is also the subject. */
  title: string;
  /** A short text for the list of mails and below the title. Empty if no room may be named. */
  summary: string;
  rooms: LetterRoom[];
  /** Empty if all rooms are listed. */
  moreRooms: string;
  /** A note that the reader turned texts off; otherwise empty. */
  hidden: string;
  open: { text: string; address: string };
  /** That an answer to the mail is written into its room. Empty if it cannot be answered. */
  answer: string;
  why: string;
  stop: { text: string; address: string };
  change: { text: string; address: string };
}

export interface LetterRoom {
  name: string;
  /** A note such as `private` or `mentions you`; may be empty. */
  note: string;
  count: string;
  messages: LetterMessage[];
  /** `text` is empty if all messages are shown, or if texts are not shown. */
  more: { text: string; address: string };
}

export interface LetterMessage {
  /** Absent if the message continues the one before, of the same author. */
  author?: User;
  time: string;
  /** The text in pieces. `you` marks mentions of the reader. */
  text: { text: string; you: boolean }[];
  /** Descriptions of the files. */
  files: string[];
}

export interface LetterOptions {
  texts: NotificationTexts;
  /** `nothing` also hides authors and rooms. */
  shows: 'text' | 'name' | 'nothing';
  /** Whether the reader turned texts off. */
  byChoice: boolean;
  /** Once a day, or the delay in minutes. */
  mail: 'daily' | number;
  /** Whether an answer to the mail is written into its only room. */
  answerable?: boolean;
  /** Whether the reader never opened the chat. */
  isNew?: boolean;
  /** The name of the site. */
  siteName: string;
  /** The URL of the chat page. */
  pageUrl: string;
  /** The link that turns mails off. */
  stopUrl: string;
  /** Unix ms. */
  now: number;
}

/** Makes one visible line of a user's text, without addresses that mail programs link. */
export const unlinkedLine = (text: string) => unlinked([...toLine(text)]).join('');

/** Builds the content of a mail. @param total the number of unread messages in all rooms */
export function letterOf(
  reader: User,
  total: number,
  all: readonly UnreadIn[],
  options: LetterOptions,
): Letter {
  const { texts, shows, byChoice, answerable, isNew, mail, siteName, pageUrl, stopUrl } = options;
  // Guests get mails only about their question.
  const asked = isGuest(reader.id);
  const [only, ...others] = all;
  const nameable = shows === 'nothing' ? [] : all.filter(({ withheld }) => withheld !== 'all');
  const names = nameable.length > 0;
  const author = others.length === 0 && names && only && mentioner(only, reader);
  const shown = nameable.slice(0, roomsOfMail);
  const left = names ? all.length - shown.length : 0;
  const moreRooms = left === 0 ? '' : texts.count('moreRooms', left);
  const named = [...shown.map(({ name }) => unlinkedLine(name)), ...(left === 0 ? [] : [moreRooms])];
  const one = only !== undefined && others.length === 0 && names ? only : undefined;
  // Users cannot write a text into the ID of a direct room.
  const target =
    one ?? (shows !== 'nothing' && others.length === 0 && only?.kind === 'direct' ? only : undefined);
  return {
    title: asked
      ? texts.text('subjectAnswer', { site: unlinkedLine(siteName) })
      : author
        ? texts.text('subjectMention', { name: unlinkedLine(author) })
        : texts.count('subject', total),
    summary: names ? texts.text('in', { rooms: texts.list(named) }) : '',
    rooms: shown.map((room) => roomOf(room, reader, options)),
    moreRooms,
    hidden: byChoice ? texts.text('hidden') : '',
    open: {
      text: texts.text(one ? 'answer' : 'open'),
      address: target ? linkTo(pageUrl, target.room, target.from) : pageUrl,
    },
    answer: one && answerable ? texts.text('answerMail', { room: unlinkedLine(one.name) }) : '',
    why: asked
      ? texts.text('whyAsked')
      : isNew
        ? texts.text('whyNew')
        : mail === 'daily'
          ? texts.text('whyDaily')
          : texts.text('why', { time: texts.minutes(mail) }),
    stop: { text: texts.text('stop'), address: stopUrl },
    change: { text: texts.text('change'), address: `${pageUrl}#notifications` },
  };
}

const isYou = (user: string, reader: User) => user === reader.id || user === everybody;

/**
 * Returns the name of the first author who mentions the reader. In a public room that may be a stranger, whose name
 * must not become the subject of a mail.
 */
function mentioner({ kind, mentions, messages, withheld }: UnreadIn, reader: User): string | undefined {
  if (mentions === 0 || kind === 'public' || withheld !== undefined) return undefined;
  return messages.find((one) => one.mentions?.some(({ user }) => isYou(user, reader)))?.user.name;
}

function noteOf(room: UnreadIn, hasTexts: boolean, texts: NotificationTexts): string {
  if (room.reminders !== undefined) return texts.text('reminder');
  if (!hasTexts && room.mentions > 0) return texts.text('mentions');
  return room.kind === 'public' ? '' : texts.text(room.kind);
}

const continues = ({ user, sentAt }: StoredMessage, before: StoredMessage | undefined): boolean =>
  before !== undefined && before.user.id === user.id && sentAt - before.sentAt <= groupMs;

function roomOf(room: UnreadIn, reader: User, { texts, shows, pageUrl, now }: LetterOptions): LetterRoom {
  const hasTexts = shows === 'text' && room.withheld === undefined;
  const messages = hasTexts ? room.messages.slice(0, messagesOfMail) : [];
  const left = room.unread - messages.length;
  return {
    name: unlinkedLine(room.name),
    note: noteOf(room, hasTexts, texts),
    count: texts.count('new', room.unread),
    messages: messages.map((message, n) => ({
      ...(continues(message, messages[n - 1])
        ? {}
        : { author: { id: message.user.id, name: unlinkedLine(message.user.name) } }),
      time: texts.time(message.sentAt, now),
      text: isOnlyCard(message) ? [{ text: texts.text('card'), you: false }] : piecesOf(message, reader),
      files: (message.files ?? []).map((file) => unlinked([...describeFile(file, texts)]).join('')),
    })),
    more: {
      text: hasTexts && left > 0 ? texts.count('more', left) : '',
      address: linkTo(pageUrl, room.room, room.from),
    },
  };
}

/**
 * Returns a string for each code point of the text, so that positions of mentions stay valid. The first one of a link
 * with a look-alike host has all that is shown of scheme and host.
 */
function charactersOf(text: string): string[] {
  const characters = unlinked([...text]);
  let at = 0;
  for (const piece of links(text)) {
    const typed = [...(typeof piece === 'string' ? piece : piece.text)];
    const shown = [...(typeof piece === 'string' ? piece : piece.shown)];
    let end = typed.length;
    while (end > 0 && typed[end - 1] === shown[end - 1 + shown.length - typed.length]) end--;
    const start = unlinked(shown.slice(0, end + shown.length - typed.length)).join('');
    if (end > 0) characters.fill('', at, at + end)[at] = start;
    at += typed.length;
  }
  return characters;
}

/** Returns the beginning of the text, split at mentions of the reader. Positions of mentions count code points. */
function piecesOf({ text, mentions = [] }: StoredMessage, reader: User): LetterMessage['text'] {
  const characters = charactersOf(text);
  const kept = [...text.split('\n').slice(0, longest.lines).join('\n')].length;
  const end = Math.min(characters.length, kept, longest.text);
  const slice = (from: number, to: number) =>
    characters.slice(from, to).join('').replace(directionMarks, '').replace(control, ' ');
  const pieces: LetterMessage['text'] = [];
  let done = 0;
  for (const { user, start, length } of mentions) {
    if (start + length > end || !isYou(user, reader)) continue;
    if (start > done) pieces.push({ text: slice(done, start), you: false });
    pieces.push({ text: slice(start, start + length), you: true });
    done = start + length;
  }
  const rest = `${slice(done, end)}${end < characters.length ? '…' : ''}`;
  if (rest !== '') pieces.push({ text: rest, you: false });
  return pieces;
}
