import { Rounds } from '../changes/rounds.ts';
import type { Change, Reads } from '../history/history.ts';
import { ConcurrencyLimit, RateLimit } from '../limits/by-key.ts';
import { RequestError } from '../wire/errors.ts';
import type { Answers, EventPayload, Reminder, RequestPayload, Scheduled } from '../wire/events.ts';
import { findReadableRoom, moderatesSite } from './access.ts';
import type { Chat } from './chat.ts';
import type { Effect } from './effect.ts';
import { checkMentions, inOrder } from './messages/mentions.ts';
import { findVisible, newMessage } from './messages/messages.ts';
import { findAuthor, storeInTurn } from './messages/offline.ts';
import { checkText, pageToPreview } from './messages/texts.ts';
import { messageFor, pageFor } from './mine.ts';
import { type Connection, connectionIdsOf, type Room } from './model.ts';
import { findHoldReason } from './moderation/held.ts';
import { toHeld } from './moderation/shown-held.ts';

type ScheduledMessage = NonNullable<Reads['scheduledMessage']['out']>;

/** How far ahead a message can be scheduled. */
const maxAheadDays = 366;
/** Maximum delay between two polls, in ms. Short, because the wall clock may be set at any time. */
const maxPollMs = 10_000;
/** The delay before the next poll if messages could not be sent yet, in ms. */
const retryMs = 100;
const batchSize = 100;
/** A failed message and a due reminder are deleted at this age, in ms, or at the retention of rooms if that is lower. */
const failedTtlMs = 30 * 24 * 60 * 60 * 1000;
/** The interval for deleting failed messages, in ms. */
const forgetIntervalMs = 60 * 60 * 1000;

export async function schedule(
  chat: Chat,
  connection: Connection,
  room: Room,
  payload: RequestPayload<'scheduled:add'>,
): Promise<{ answer: Answers['scheduled:add']; repeated: boolean }> {
  const duplicate = await scheduled(chat, connection, room, payload);
  if (duplicate !== null) return { answer: duplicate, repeated: true };
  checkTime(payload.at);
  const output = await additions.run(connection.person.user.id, async () => {
    await checkLimit(chat, connection);
    return chat.history.write.schedule(toInput(chat, connection, room, payload));
  });
  return { answer: await toAnswer(chat, connection, output), repeated: output.repeated };
}

/** Runs a user's requests that check the limit one after the other, so that they do not all pass the check. */
const additions = new ConcurrencyLimit(1);

/** @throws RequestError `limit_reached` */
async function checkLimit(
  { history, limits }: Chat,
  { person }: Connection,
  isReplaced: (one: ScheduledMessage) => boolean = () => false,
): Promise<void> {
  const own = await history.read.scheduledBy({ user: person.user.id });
  if (own.length >= limits.later && !own.some(isReplaced)) throw limitReached(limits.later);
}

/** Sets or moves the user's reminder of a message. */
export async function remind(
  chat: Chat,
  connection: Connection,
  room: Room,
  { seq, at }: RequestPayload<'reminder:set'>,
): Promise<Answers['reminder:set']> {
  checkTime(at);
  const { history, limits } = chat;
  const { user } = connection.person;
  const place = { room: room.record.id, seq };
  const output = await additions.run(user.id, async () => {
    if ((await findVisible(chat, room.record, seq)) === undefined) throw new RequestError('unknown_message');
    chat.directory.checkStill(connection.person, room);
    await checkLimit(chat, connection, (one) => one.room === place.room && one.seq === seq);
    return history.write.remind({ ...place, user: user.id, due: notBeforeNow(at), most: limits.later });
  });
  const [reminder] = await toReminders(chat, connection, [output.reminder]);
  return { reminder: reminder as Reminder };
}

export async function listReminders(chat: Chat, connection: Connection): Promise<Answers['reminder:list']> {
  const own = await chat.history.read.scheduledBy({ user: connection.person.user.id });
  return { reminders: await toReminders(chat, connection, own) };
}

/** Returns the reminders among these as the user may see them now. */
async function toReminders(
  chat: Chat,
  { person }: Connection,
  own: readonly ScheduledMessage[],
): Promise<Reminder[]> {
  const reminders = own.flatMap(({ seq, ...one }) => (seq === undefined ? [] : [{ ...one, seq }]));
  const stored = await chat.history.read.messages({ places: reminders });
  // Expired messages are deleted step by step. Undefined without access to the room.
  const firstIn = (room: string) => chat.directory.find(person, room)?.record.firstSeq;
  const visible = stored.filter(
    ({ room, seq, deletedAt }) => deletedAt === undefined && seq >= (firstIn(room) ?? Infinity),
  );
  const page = await pageFor(chat, person, { messages: visible });
  return reminders.map(({ id, room, seq, at, due }) => {
    // Checked again, because the user may have lost the room during the reads.
    const isLost = seq < (firstIn(room) ?? Infinity);
    const message = page.messages.find((one) => one.room === room && one.seq === seq);
    return {
      ...{ id, room, seq, at },
      due: due === undefined ? true : undefined,
      message: isLost ? undefined : message,
    };
  });
}

export async function deleteReminder(
  chat: Chat,
  { person }: Connection,
  { id }: RequestPayload<'reminder:delete'>,
): Promise<Answers['reminder:delete']> {
  const user = person.user.id;
  const stored = await chat.history.read.scheduledMessage({ id });
  if (stored?.user === user && stored.seq !== undefined)
    await chat.history.write.unschedule({ room: stored.room, id, user, at: Date.now() });
  return {};
}

/** Returns the response to a duplicate of an earlier `scheduled:add`; null for a new message. */
export async function scheduled(
  chat: Chat,
  connection: Connection,
  room: Room,
  payload: RequestPayload<'scheduled:add'>,
): Promise<Answers['scheduled:add'] | null> {
  // The limit does not apply to a duplicate.
  const input = { ...toInput(chat, connection, room, payload), most: Number.MAX_SAFE_INTEGER };
  const duplicate = await chat.history.probe.schedule(input);
  return duplicate && toAnswer(chat, connection, duplicate);
}

const toInput = (
  chat: Chat,
  connection: Connection,
  room: Room,
  payload: RequestPayload<'scheduled:add'>,
) => ({
  ...newMessage(connection, room, payload, chat),
  due: notBeforeNow(payload.at),
  most: chat.limits.later,
});

/** Messages are sent in the order of their times. A message with a past time would overtake messages of other users. */
const notBeforeNow = (at: number) => Math.max(at, Date.now());

const limitReached = (most: number) =>
  new RequestError(
    'limit_reached',
    `the limit of ${most} scheduled messages and reminders of a user (CHAT_LIMIT_LATER) is reached: send or delete some`,
  );

function checkTime(at: number): void {
  if (at > Date.now() + maxAheadDays * 24 * 60 * 60 * 1000)
    throw new RequestError('bad_request', `at is more than ${maxAheadDays} days ahead`);
}

async function toAnswer(
  chat: Chat,
  { person }: Connection,
  output: Awaited<ReturnType<Chat['history']['write']['schedule']>>,
): Promise<Answers['scheduled:add']> {
  if ('scheduled' in output) return { scheduled: toScheduled(output.scheduled) };
  return toSentAnswer(chat, person, output);
}

async function toSentAnswer(
  chat: Chat,
  person: Connection['person'],
  output: Exclude<Awaited<ReturnType<Chat['history']['write']['sendScheduled']>>, { waits: true }>,
): Promise<Answers['scheduled:send']> {
  if ('message' in output) return { message: await messageFor(chat, person, output.message) };
  const [held] = await toHeld(chat.history, [output.held]);
  return { held: held as NonNullable<typeof held> };
}

export async function listScheduled(
  { history }: Chat,
  { person }: Connection,
): Promise<Answers['scheduled:list']> {
  const own = await history.read.scheduledBy({ user: person.user.id });
  return { scheduled: own.filter(({ seq }) => seq === undefined).map(toScheduled) };
}

export async function editScheduled(
  chat: Chat,
  connection: Connection,
  { id, rev, at, ...edited }: RequestPayload<'scheduled:edit'>,
): Promise<Answers['scheduled:edit']> {
  const stored = await findOwn(chat, connection, id);
  if (at !== undefined) checkTime(at);
  const { text, mentions } = edited;
  const newText = text ?? stored.content.text;
  // The history checks whether the message has files.
  checkText(newText, chat.limits.text, true);
  if (mentions !== undefined && text === undefined)
    throw new RequestError('bad_request', 'mentions require the text');
  checkMentions(newText, mentions);
  const { scheduled } = await chat.history.write.reschedule({
    room: stored.room,
    id,
    user: stored.user,
    rev,
    due: at === undefined ? undefined : notBeforeNow(at),
    ...edited,
    mentions: mentions && inOrder(mentions),
    preview: text === undefined ? undefined : pageToPreview(chat, connection.person.user, text),
    at: Date.now(),
  });
  return { scheduled: toScheduled(scheduled) };
}

/** Sends a scheduled message now. If the author may not send it, it stays as it is. */
export async function sendNow(
  chat: Chat,
  connection: Connection,
  { id }: RequestPayload<'scheduled:send'>,
): Promise<Answers['scheduled:send']> {
  const stored = await findOwn(chat, connection, id);
  const { identity, person } = connection;
  const why = await holdReasonOf(chat, identity, stored);
  const output = await send(chat, stored, { why, siteModerator: moderatesSite(identity), now: true });
  if ('waits' in output) throw new RequestError('conflict', 'the message was edited after you read it');
  return toSentAnswer(chat, person, output);
}

export async function unschedule(
  chat: Chat,
  connection: Connection,
  { id }: RequestPayload<'scheduled:delete'>,
): Promise<Answers['scheduled:delete']> {
  const user = connection.person.user.id;
  const stored = await chat.history.read.scheduledMessage({ id });
  if (stored?.user === user && stored.seq === undefined)
    await chat.history.write.unschedule({ room: stored.room, id, user, at: Date.now() });
  return {};
}

/** @throws RequestError `unknown_message` if it was sent or deleted, or belongs to another user */
async function findOwn(chat: Chat, { person }: Connection, id: string): Promise<ScheduledMessage> {
  const stored = await chat.history.read.scheduledMessage({ id });
  if (stored?.user !== person.user.id || stored.seq !== undefined) throw new RequestError('unknown_message');
  return stored;
}

/** Returns why the message needs approval. Null if it does not, or if the room does not exist. */
async function holdReasonOf(
  chat: Chat,
  { roles }: Pick<Connection['identity'], 'roles'>,
  { user, room, content }: ScheduledMessage,
) {
  const record = await chat.history.read.room({ room, bare: true });
  const author = { identity: { id: user, roles } };
  return record === null ? null : findHoldReason(chat, author, { record }, content);
}

const send = (
  chat: Chat,
  { room, id, user, rev }: ScheduledMessage,
  how: Pick<Parameters<Chat['history']['write']['sendScheduled']>[0], 'why' | 'siteModerator' | 'now'>,
) =>
  storeInTurn(chat, { room, user, why: how.why }, () =>
    chat.history.write.sendScheduled({ room, id, user, rev, ...how, at: Date.now() }),
  );

export const toScheduled = ({
  id,
  room,
  clientId,
  rev,
  at,
  done,
  closed,
  seq,
  content,
}: ScheduledMessage): Scheduled & { seq?: number } => ({
  ...{ id, room, clientId, rev, seq },
  ...content,
  at,
  failed: done === undefined || closed === undefined ? undefined : { at: done, code: closed.code },
});

/** Notifies the author's connections. A new or edited message may be the next to send. */
export const laterEffect: Effect<'later'> = {
  apply:
    (chat, { room, id, user, is, code, seq }) =>
    () => {
      const person = chat.directory.person(user);
      if (is === 'scheduled' || is === 'edited') chat.sendDue();
      const ids = connectionIdsOf(person === undefined ? [] : [person]);
      const { publisher } = chat;
      if (seq !== undefined) {
        publisher.toConnections(ids, 'reminder:changed', { id, room, seq, is: reminderChangeOf(is) });
      } else if (is !== 'due') {
        publisher.toConnections(ids, 'scheduled:changed', { id, room, is, code });
      }
    },
};

function reminderChangeOf(is: (Change & { type: 'later' })['is']): EventPayload<'reminder:changed'>['is'] {
  if (is === 'due') return 'due';
  return is === 'discarded' ? 'deleted' : 'set';
}

/** Ends a reminder that is due. Notifies the user only if they may still read the message. */
async function endReminder(chat: Chat, reminder: ScheduledMessage & { seq: number }): Promise<void> {
  const { history, directory } = chat;
  const { room, id, rev, user } = reminder;
  const record = await findReadableRoom(history, room, user);
  const message =
    record && directory.banOf(user) === null ? await findVisible(chat, record, reminder.seq) : undefined;
  await history.write.endReminder({ room, id, rev, isVisible: message !== undefined, at: Date.now() });
}

/**
 * Sends scheduled messages and ends reminders when they are due, until `signal` aborts. Several servers may do this concurrently, because
 * the history sends each message once. The messages of a user in a room keep their order.
 * @param maxFailedMs failed messages are deleted at this age; 0 means no limit
 * @param onFailure called when the history or the site's table of users fails. Then it is tried again.
 * @returns a function to call when another message may be the next
 */
export function sendWhenDue(
  chat: Chat,
  maxFailedMs: number,
  signal: AbortSignal,
  onFailure: (error: Error) => void,
): () => void {
  const { history, limits } = chat;
  const rate = new RateLimit(limits.send);
  let forgotten = Number.NEGATIVE_INFINITY;

  /** @returns whether the message was sent or failed. Otherwise later messages of the user in the room must wait. */
  const settle = async (stored: ScheduledMessage): Promise<boolean> => {
    const { room, id, user, rev, content } = stored;
    const place = { room, id, rev, at: Date.now() };
    const postpone = async (ms: number) => {
      await history.write.settleScheduled({ ...place, due: place.at + ms });
      return false;
    };
    const waitMs = rate.take(user);
    if (waitMs !== null) return postpone(waitMs);
    try {
      const author = await findAuthor(chat, user);
      checkText(content.text, limits.text, content.files !== undefined);
      const why = await holdReasonOf(chat, author, stored);
      const output = await send(chat, stored, { why, siteModerator: moderatesSite(author), now: false });
      // Otherwise another server postponed it, or its author edited it.
      return !('waits' in output);
    } catch (error) {
      if (!(error instanceof RequestError) || error.isOfStorage) throw error;
      if (error.code === 'rate_limited') return postpone(error.retryAfterMs ?? retryMs);
      // No-op if another server sent the message, or its author changed it.
      await history.write.settleScheduled({ ...place, code: error.code });
      return true;
    }
  };
  const forgetFailed = async () => {
    const now = performance.now();
    if (now < forgotten + forgetIntervalMs) return;
    const before = Date.now() - Math.min(failedTtlMs, maxFailedMs || failedTtlMs);
    const failed = await history.read.failedScheduled({ before, limit: batchSize });
    for (const { room, id, user } of failed)
      await history.write.unschedule({ room, id, user, at: Date.now() });
    if (failed.length < batchSize) forgotten = now;
  };
  const poll = async () => {
    /** The room and user of each message that could not be sent yet. Later messages of this user there must wait. */
    const waiting = new Set<string>();
    for (;;) {
      const { scheduled, next } = await history.read.dueScheduled({ at: Date.now(), limit: batchSize });
      for (const stored of scheduled) {
        if (signal.aborted) return maxPollMs;
        const { seq } = stored;
        if (seq !== undefined) {
          await endReminder(chat, { ...stored, seq });
          continue;
        }
        const key = `${stored.room} ${stored.user}`;
        if (!waiting.has(key) && !(await settle(stored))) waiting.add(key);
      }
      if (scheduled.length === batchSize && waiting.size === 0) continue;
      await forgetFailed();
      if (waiting.size > 0) return retryMs;
      return Math.min(maxPollMs, (next ?? Number.POSITIVE_INFINITY) - Date.now());
    }
  };
  const rounds = new Rounds(poll, (error) => {
    if (!signal.aborted) onFailure(error);
  });
  signal.addEventListener('abort', () => void rounds.stop());
  return () => rounds.wake();
}
