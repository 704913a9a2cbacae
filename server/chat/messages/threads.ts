import { RequestError } from '../../wire/errors.ts';
import type { Answers, Message, RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import type { Effect } from '../effect.ts';
import { pageFor } from '../mine.ts';
import { type Connection, connectionIdsOf, type Room } from '../model.ts';
import { settled } from '../rooms.ts';
import { noReplies } from './shown-threads.ts';
import { threadsFor } from './timeline.ts';

/** Returns the first message of a thread and a page of its replies. */
export async function thread(
  chat: Chat,
  { person }: Connection,
  room: Room,
  { thread: seq, before, after, limit }: RequestPayload<'thread:get'>,
): Promise<Answers['thread:get']> {
  const { history } = chat;
  return settled(room, async () => {
    const { id, lastSeq } = room.record;
    const stored =
      seq > lastSeq ? null : await history.read.thread({ room: id, thread: seq, user: person.user.id });
    if (stored === null) throw new RequestError('unknown_message');
    const { thread, root, following } = stored;
    const { messages, complete } = await history.read.replies({
      room: id,
      thread,
      after: Math.max(after ?? 0, root.seq),
      before: Math.min(before ?? lastSeq + 1, lastSeq + 1),
      from: after === undefined ? 'end' : 'start',
      limit,
    });
    const page = await pageFor(chat, person, { messages: [root, ...messages] });
    const [first, ...replies] = page.messages as [Message, ...Message[]];
    const { threads = [] } = await threadsFor(chat, person, id, [root]);
    const summary = threads.find((candidate) => candidate.thread === thread) ?? {
      ...noReplies(thread),
      root: root.seq,
    };
    return { root: first, thread: summary, following, messages: replies, complete };
  });
}

export async function follow(
  { history }: Chat,
  connection: Connection,
  room: Room,
  { thread, following }: RequestPayload<'thread:follow'>,
): Promise<Answers['thread:follow']> {
  const { id } = room.record;
  const { person } = connection;
  if (!person.memberships.has(id)) throw new RequestError('forbidden');
  const stored = await history.read.thread({ room: id, thread, user: person.user.id });
  if (stored === null) throw new RequestError('unknown_message');
  await history.write.follow(
    { room: id, thread: stored.thread, user: person.user.id, following },
    connection.id,
  );
  return {};
}

/** A user follows a thread, or no longer follows it. */
export const followedEffect: Effect<'followed'> = {
  apply:
    ({ directory, publisher }, { room, thread, user, following }) =>
    () => {
      const person = directory.person(user);
      if (!person?.memberships.has(room)) return;
      publisher.toConnections(connectionIdsOf([person]), 'thread:followed', { room, thread, following });
    },
};
