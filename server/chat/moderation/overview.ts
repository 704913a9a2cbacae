import { dayOf } from '../../history/history.ts';
import type { Answers, RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import type { Connection } from '../model.ts';
import { readWithin } from '../rooms.ts';
import { listEvents } from '../site.ts';
import { isKnown, knownRooms, readKnown } from './known-rooms.ts';

const day = 24 * 60 * 60 * 1000;
/** The number of days in the chart of messages. */
const daysShown = 30;
/** Users and rooms of the last days are counted separately. */
const freshDays = 7;
const firstDay = () => dayOf(Date.now()) - daysShown + 1;

export async function overview(chat: Chat, connection: Connection): Promise<Answers['moderate:overview']> {
  const { history, directory, others, settings } = chat;
  return readKnown(chat, connection, async (known) => {
    const first = firstDay();
    const week = Date.now() - freshDays * day;
    const own = [...directory.everybody()].map(({ user }) => user.id);
    const elsewhere = others?.states() ?? [];
    const users = [...new Set([...own, ...elsewhere.flatMap((server) => server.users)])];
    const admin = connection.identity.roles.includes('admin');
    const [sent, files, recent, events, questions, missing = []] = await Promise.all([
      history.read.messagesByDay({ ...known, from: first }),
      settings.files.kind === 'off' ? null : history.read.filesInAll({ ...known, most: filesCounted }),
      settings.lastSeen ? history.read.recentlyHere({ since: week, users }) : null,
      admin && chat.retryEvents !== undefined ? listEvents(chat) : null,
      chat.team.statistics(),
      admin ? chat.missing?.() : [],
    ]);
    const counts = new Map(sent.map((one) => [one.day, one.messages]));
    const rooms = [...directory.publicRooms.byName.map(({ room }) => room.record.id), ...known.rooms].flatMap(
      (id) => (isKnown(chat, known, id) ? (directory.room(id)?.record ?? []) : []),
    );
    return {
      here: users.length,
      week: recent === null ? undefined : users.length + recent.all - recent.among,
      messages: Array.from({ length: daysShown }, (_, n) => ({
        day: new Date((first + n) * day).toISOString().slice(0, 10),
        count: counts.get(first + n) ?? 0,
      })),
      rooms: rooms.length,
      private: rooms.filter(({ kind }) => kind === 'private').length,
      fresh: rooms.filter(({ createdAt }) => createdAt >= week).length,
      reports: rooms.reduce((sum, { reports = 0 }) => sum + reports, 0),
      files: files === null ? undefined : sizeOf(files),
      events: events === null ? undefined : { waiting: events.waiting, failed: events.failed.length },
      questions,
      missing: missing.length === 0 ? undefined : [...missing],
      servers:
        others &&
        [{ ...others.own, working: true, users: own }, ...elsewhere]
          .map(({ name, run, took, working, downSince, users: here }) => ({
            name,
            working,
            here: here.length,
            took: working ? took : undefined,
            downSince: downSince === undefined ? undefined : Math.round(downSince),
            ...run,
          }))
          .sort((a, b) => (a.name < b.name ? -1 : 1)),
    };
  });
}

/** Maximum files counted in all rooms together, and in one room, so that no query takes a second. */
const filesCounted = 100_000;
const filesCountedOfRoom = 2000;

const sizeOf = ({ bytes, more }: { bytes: number; more: boolean }): { bytes: number; more?: true } => ({
  bytes,
  more: more || undefined,
});

/** Returns the number of messages and the size of the files in these rooms. */
export function rooms(
  chat: Chat,
  connection: Connection,
  { rooms: asked }: RequestPayload<'moderate:rooms'>,
): Promise<Answers['moderate:rooms']> {
  // The creation time shows if another room, which the asker may not know of, got the ID during the reads.
  const chosen = () => {
    const known = knownRooms(chat, connection);
    return asked.flatMap((id) => {
      const room = chat.directory.room(id);
      return room !== undefined && isKnown(chat, known, id) ? { id, createdAt: room.record.createdAt } : [];
    });
  };
  return readWithin(chosen, async (known) => {
    const { read } = chat.history;
    const ids = known.map(({ id }) => id);
    const [messages, files] = await Promise.all([
      read.messagesIn({ rooms: ids, from: firstDay() }),
      read.filesIn({ rooms: ids, most: filesCountedOfRoom }),
    ]);
    const sizes = new Map(files.map((one) => [one.room, sizeOf(one)]));
    return {
      // A room may have been deleted between the two reads.
      rooms: messages.map((one) => ({ ...one, files: sizes.get(one.room) ?? { bytes: 0 } })),
    };
  });
}
