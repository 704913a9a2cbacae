import type { History, RoomRecord, StoredEvent, StoredMessage } from '../history/history.ts';
import type { Held, Message, User } from '../wire/events.ts';

/** Maximum bytes of a text, in UTF-8. */
const mostTextBytes = 16 * 1024;

interface MessageRef {
  room: string;
  seq: number;
}

/**
 * Returns the data of a `notify.due` event. Returns null if nothing is left to notify of, and a time as Unix ms if the
 * event must be sent later.
 */
export type DueOf = (event: { user: string; at: number }) => Promise<object | number | null>;

/**
 * Builds the body of each event in the format of Standard Webhooks. It contains the current data, which may be newer
 * than the event. Returns null instead of a body if nothing is left to send, and a time in Unix ms if the event must be
 * sent later.
 */
export async function bodiesOf(
  events: readonly StoredEvent[],
  { read }: Pick<History, 'read'>,
  messageOf: (message: StoredMessage) => Message,
  dueOf: DueOf,
): Promise<(string | number | null)[]> {
  const ids = new Set(events.flatMap(({ roomId = [] }) => roomId));
  const found = await Promise.all([...ids].map((room) => read.room({ room })));
  const rooms = new Map(found.flatMap((room) => (room === null ? [] : [[room.id, room] as const])));
  const places = events.flatMap(({ roomId: room = '', seq }): MessageRef[] =>
    seq === undefined ? [] : [{ room, seq }],
  );
  const stored = places.length === 0 ? [] : await read.messages({ places });
  const messages = new Map(stored.map((message) => [keyOf(message), messageOf(message)]));
  const users = await read.users({ ids: events.flatMap(({ user = [] }) => user) });
  const names = new Map(users.map(({ id, name }) => [id, name]));
  return Promise.all(
    events.map(async ({ type, at, roomId = '', roomCreatedAt, seq, messageId, user, report, held }) => {
      const bodyOf = (data: object) => JSON.stringify({ type, timestamp: new Date(at).toISOString(), data });
      if (type === 'notify.due') {
        const due = await dueOf({ user: user ?? '', at });
        return due === null || typeof due === 'number' ? due : bodyOf(due);
      }
      const room = rooms.get(roomId);
      const isGone = room === undefined || room.createdAt !== (roomCreatedAt ?? room.createdAt);
      const data = {
        room: isGone ? { id: roomId, deleted: true } : roomOf(room),
        ...(seq === undefined ? {} : messageAt({ room: roomId, seq }, messageId, messages)),
        user: user === undefined ? undefined : userIn(user, names.get(user)),
        ...(report === undefined ? {} : await reported(report, read, messageOf)),
        ...(held === undefined ? {} : await waiting(held, read)),
      };
      return bodyOf(data);
    }),
  );
}

/** Returns a user for a body. @param name absent for a user who never connected */
export const userIn = (id: string, name = id): User => ({ id, name });

const keyOf = ({ room, seq }: MessageRef) => `${seq} ${room}`;

function roomOf({ id, kind, name, topic, members, pair, question }: RoomRecord): object {
  if (kind === 'direct') return { id, kind, users: pair ?? [] };
  if (question === undefined) return { id, kind, name, topic, members };
  const { asker, by, about, closedAt } = question;
  const state = closedAt === undefined ? 'open' : 'closed';
  return { id, kind, name, members, question: { state, asker, by, about } };
}

function messageAt(
  place: MessageRef,
  id: string | undefined,
  messages: ReadonlyMap<string, Message>,
): object {
  const message = messages.get(keyOf(place));
  // The message expired or its room was deleted. Another room may have the ID now.
  if (message === undefined || message.id !== id) return { message: { ...place, text: '', deleted: true } };
  return beginning('message', message);
}

/** Returns the message with the beginning of its text. `truncated` is set if the text is longer. */
function beginning<Whole extends Pick<Message | Held, 'text' | 'mentions'>>(
  name: 'message' | 'held',
  whole: Whole,
): object {
  const text = cut(whole.text);
  if (text === whole.text) return { [name]: whole };
  const { length } = [...text];
  const mentions = whole.mentions?.filter((one) => one.start + one.length <= length);
  return { [name]: { ...whole, text, ...(mentions && { mentions }) }, truncated: true };
}

async function reported(
  id: string,
  read: History['read'],
  messageOf: (message: StoredMessage) => Message,
): Promise<object> {
  const report = await read.report({ id });
  if (report === null) return { report: { id, deleted: true } };
  const { by, reason, text, at, message } = report;
  return {
    report: { id, by, reason, text, at },
    ...(message === undefined ? {} : beginning('message', messageOf(message))),
  };
}

async function waiting(id: string, read: History['read']): Promise<object> {
  const held = await read.pendingMessage({ id });
  // A moderator decided on the message, or it was discarded.
  if (held === null || held.closed !== undefined) return { held: { id, deleted: true } };
  const [user] = await read.users({ ids: [held.user] });
  const { why, at, seq, content } = held;
  const about = { id, user: userIn(held.user, user?.name), why, at, seq };
  const preview = content.preview?.title === undefined ? undefined : content.preview;
  return beginning('held', { ...about, ...content, preview });
}

/** Returns the beginning of a text without splitting a character. */
function cut(text: string): string {
  if (Buffer.byteLength(text) <= mostTextBytes) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(mostTextBytes));
  return text.slice(0, read);
}
