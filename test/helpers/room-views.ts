import type { Message, RoomSummary } from '../../server/wire/events.ts';
import type { ChatClient } from './chat-client.ts';
import type { ModelResponse } from './chat-model.ts';

/** Converts a response of the server to the response of `ChatModel`. */
export function toModelResponse(event: string, data: object): ModelResponse {
  const { room, failed, message } = data as {
    room?: RoomSummary;
    failed?: { code: string }[];
    message?: Message;
  };
  if (event === 'read:mark') return { code: 'ok', readSeq: room?.readSeq };
  if (event === 'room:invite' && failed?.[0] !== undefined) return { code: 'ok', failed: failed[0].code };
  if (message === undefined) return { code: 'ok' };
  const { seq, rev, text } = message;
  return { code: 'ok', seq, rev, ...(event === 'message:react' ? {} : { text }) };
}

/** Converts a summary to what `ChatModel.view` returns for a user. */
export function viewSummary(summary: RoomSummary | undefined): object | undefined {
  if (summary === undefined) return undefined;
  const { name, topic = '', kind, head, write, slow = 0, lastSeq, role, members, readSeq, unread } = summary;
  const { mentions, threadOnly = 0, last, pins = 0, mutedForMs, may } = summary;
  return {
    ...{ name, topic, kind, head, write, slow, lastSeq, role, members, readSeq, unread, mentions, pins },
    ...{ threadOnly, last: last?.seq ?? 0, muted: mutedForMs !== undefined, may },
  };
}

/** Reads what every member sees of a room. */
export async function readRoom(client: ChatClient, room: string): Promise<object> {
  const messages: Message[] = [];
  const threads: Record<number, object> = {};
  for (let isComplete = false; !isComplete; ) {
    const page = await client.request('message:history', { room, after: messages.length, limit: 100 });
    messages.push(...page.messages);
    for (const { thread, replies, authors } of page.threads ?? [])
      threads[thread] = { replies, authors: authors.map(({ id }) => id) };
    isComplete = page.complete;
  }
  const { pins } = await client.request('room:pins', { room });
  const { members } = await client.request('room:members', { room });
  return {
    messages: messages.map(viewMessage),
    threads,
    pins: pins.map(({ seq, by, after }) => ({ seq, by: by.id, after })),
    roles: Object.fromEntries(members.map(({ user, role }) => [user.id, role])),
  };
}

function viewMessage({ user, text, rev, editedAt, deletedBy, replyTo, thread, ...message }: Message): object {
  const { mentions = [], reactions = [], hidden = false, threadOnly } = message;
  return {
    ...{ user: user.id, text, rev, hidden, edited: editedAt !== undefined },
    ...(deletedBy === undefined ? {} : { deletedBy }),
    ...(replyTo === undefined ? {} : { replyTo, thread }),
    ...(threadOnly && { threadOnly }),
    mentions: mentions.map((mention) => mention.user.id),
    reactions: reactions.map(({ emoji, users }) => [emoji, ...users].join(' ')).sort(),
  };
}

/** Reads what only moderators see of a room. */
export async function readModeration(client: ChatClient, room: string): Promise<object> {
  const restricted = (await client.request('room:restricted', { room })).users;
  // Public rooms have no invite links.
  const response = await client.raw('invite:list', { room });
  const { invites = [] } = (response.ok ? response.data : {}) as {
    invites?: { id: string; by: { id: string }; uses?: number; used: number }[];
  };
  return {
    restricted: restricted.map(({ user, kind }) => `${user.id} ${kind}`).sort(),
    invites: invites
      .map(({ id, by, uses = 0, used }) => ({ id, by: by.id, uses, used }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}
