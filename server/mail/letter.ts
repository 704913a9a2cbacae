import { everybody, type StoredMessage } from '../history/history.ts';
import { describeFile, directionMarks, toLine } from '../notify/lines.ts';
import { messagesOfMail, roomsOfMail } from '../notify/mail-bounds.ts';
import type { NotificationTexts } from '../notify/texts.ts';
import type { RoomKind, User } from '../wire/events.ts';

/** Characters and lines of a message. A mail is to be read at once, and mail programs cut long ones. */
const longest = { text: 320, lines: 8 };

/**
 * The characters of a user's text, with spaces where a mail program would find an address to link. Programs link addresses in
 * plain text and in HTML by themselves. Only a space stops all of them: some ignore invisible characters, and so do browsers
 * in host names.
 */
const unlinked = (characters: readonly string[]): string[] =>
  characters.map((one, n) => {
    const before = characters[n - 1] ?? '';
    const rest = characters.slice(n + 1, n + 7).join('');
    return isInAddress(before, one, rest) ? `${one} ` : one;
  });

/** Times, numbers with one dot and names of files stay as they are. */
function isInAddress(before: string, one: string, rest: string): boolean {
  if (one === ':') return /[^\s\p{N}]/u.test(before) && /^\S/.test(rest);
  if (/^[@＠]$/.test(one)) return /\S/.test(before) && /^[^\s\p{P}]/u.test(rest);
  if (!/^[.。．｡․]$/.test(one) || fileType.test(rest)) return false;
  return /^[^\s\p{N}\p{P}]/u.test(rest) || /^\d{1,3}\.\d/.test(rest);
}

/** The end of a file's name. None of these is a top-level domain. */
const fileType = /^(?:avif|csv|docx?|gif|jpe?g|mp[34]|od[st]|pdf|png|pptx?|txt|webp|xlsx?)(?![^\s\p{P}])/iu;

/** Control characters that a message may have: one of them, U+0085, ends a line in some mail programs, and none for JavaScript. */
const control = /[\x7f-\x9f]/g;

/** A room with unread messages. */
export interface UnreadIn {
  room: string;
  kind: RoomKind;
  name: string;
  unread: number;
  mentions: number;
  /** The first of them. */
  from: number;
  /** The first few of them; none if no texts are to be shown. */
  messages: readonly StoredMessage[];
  /** What must not be shown of the text of users: the name of the room too, or authors and messages. */
  withheld?: 'all' | 'messages';
}

/** The content of a mail. */
export interface Letter {
  /** Also the subject. */
  title: string;
  /** A few words for the list of mails, and under the title; empty if nothing may be named. */
  summary: string;
  rooms: LetterRoom[];
  /** Empty if all rooms are listed. */
  moreRooms: string;
  /** Why there are no texts; empty if there are, or if the site wants none. */
  hidden: string;
  open: { text: string; address: string };
  why: string;
  stop: { text: string; address: string };
  change: { text: string; address: string };
}

export interface LetterRoom {
  name: string;
  /** `private`, `mentions you`; may be empty. */
  note: string;
  count: string;
  messages: LetterMessage[];
  /** Empty if all messages are shown. */
  more: { text: string; address: string };
}

export interface LetterMessage {
  author: User;
  time: string;
  /** Pieces of the text; those that name the reader are marked. */
  text: { text: string; you: boolean }[];
  /** The files, each in words. */
  files: string[];
}

export interface LetterOptions {
  texts: NotificationTexts;
  /** `nothing`: not even who has written, and where. */
  shows: 'text' | 'name' | 'nothing';
  /** Whether it is the reader who wants no texts. */
  byChoice: boolean;
  /** Once a day, or after so many minutes. */
  mail: 'daily' | number;
  /** Where the page with the chat is, and the link that stops mails. */
  pageUrl: string;
  stopUrl: string;
  /** Milliseconds since 1970. */
  now: number;
}

const unlinkedLine = (text: string) => unlinked([...toLine(text)]).join('');

/** Says in a mail what is unread. @param total of all rooms */
export function letterOf(
  reader: User,
  total: number,
  all: readonly UnreadIn[],
  options: LetterOptions,
): Letter {
  const { texts, shows, byChoice, mail, pageUrl, stopUrl } = options;
  const [only, ...others] = all;
  const nameable = shows === 'nothing' ? [] : all.filter(({ withheld }) => withheld !== 'all');
  const names = nameable.length > 0;
  const author = others.length === 0 && names && only && mentioner(only, reader);
  const shown = nameable.slice(0, roomsOfMail);
  const left = names ? all.length - shown.length : 0;
  const moreRooms = left === 0 ? '' : texts.count('moreRooms', left);
  const named = [...shown.map(({ name }) => unlinkedLine(name)), ...(left === 0 ? [] : [moreRooms])];
  const one = only !== undefined && others.length === 0 && names ? only : undefined;
  return {
    title: author
      ? texts.text('subjectMention', { name: unlinkedLine(author) })
      : texts.count('subject', total),
    summary: names ? texts.text('in', { rooms: texts.list(named) }) : '',
    rooms: shown.map((room) => roomOf(room, reader, options)),
    moreRooms,
    hidden: byChoice ? texts.text('hidden') : '',
    open: one
      ? { text: texts.text('answer'), address: addressIn(pageUrl, one.room, one.from) }
      : { text: texts.text('open'), address: pageUrl },
    why: mail === 'daily' ? texts.text('whyDaily') : texts.text('why', { time: texts.minutes(mail) }),
    stop: { text: texts.text('stop'), address: stopUrl },
    change: { text: texts.text('change'), address: `${pageUrl}#notifications` },
  };
}

/** Where the client opens a message. */
const addressIn = (pageUrl: string, room: string, seq: number) => `${pageUrl}#m=${room}/${seq}`;

const isYou = (user: string, reader: User) => user === reader.id || user === everybody;

/**
 * The name of the first who mentions the reader. In a public room that may be a stranger, whose name must not become the
 * subject of a mail.
 */
function mentioner({ kind, mentions, messages, withheld }: UnreadIn, reader: User): string | undefined {
  if (mentions === 0 || kind === 'public' || withheld !== undefined) return undefined;
  return messages.find((one) => one.mentions?.some(({ user }) => isYou(user, reader)))?.user.name;
}

function roomOf(room: UnreadIn, reader: User, { texts, shows, pageUrl, now }: LetterOptions): LetterRoom {
  const hasTexts = shows === 'text' && room.withheld === undefined;
  const messages = hasTexts ? room.messages.slice(0, messagesOfMail) : [];
  const left = room.unread - messages.length;
  const kind = room.kind === 'public' ? '' : texts.text(room.kind);
  return {
    name: unlinkedLine(room.name),
    note: !hasTexts && room.mentions > 0 ? texts.text('mentions') : kind,
    count: texts.count('new', room.unread),
    messages: messages.map((message) => ({
      author: { id: message.user.id, name: unlinkedLine(message.user.name) },
      time: texts.time(message.sentAt, now),
      text: piecesOf(message, reader),
      files: (message.files ?? []).map((file) => unlinked([...describeFile(file, texts)]).join('')),
    })),
    more: {
      text: hasTexts && left > 0 ? texts.count('more', left) : '',
      address: addressIn(pageUrl, room.room, room.from),
    },
  };
}

/** The beginning of the text, cut where it names the reader. Mentions count in characters. */
function piecesOf({ text, mentions = [] }: StoredMessage, reader: User): LetterMessage['text'] {
  const characters = unlinked([...text]);
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
