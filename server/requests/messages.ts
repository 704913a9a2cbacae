import { deleteMessage, edit, history, markRead, newMessage, search, send } from '../chat/messages.ts';
import { checkText } from '../chat/texts.ts';
import type { RequestHandlers } from './request.ts';

/** Everything about messages. */
export const messageRequests: RequestHandlers<
  | 'message:send'
  | 'message:edit'
  | 'message:delete'
  | 'message:history'
  | 'message:search'
  | 'read:mark'
  | 'typing:set'
> = {
  'message:send': {
    order: 'ordered',
    check: ({ chat, payload }) => checkText(payload.text, chat.limits.text),
    joined: true,
    right: 'send',
    counts: () => ({ send: 1 }),
    async run({ chat, connection, payload, notCounted, active }) {
      const { message, repeated } = await send(chat, connection, payload);
      // A repeat is what a client sends by itself, again and again.
      if (repeated) notCounted();
      else active();
      return { message };
    },
    async probe({ chat, connection, payload }) {
      const message = { ...newMessage(connection, payload), asMember: false };
      const known = await chat.history.probe('send', message);
      return known && { message: known.message };
    },
  },
  'message:edit': {
    order: 'ordered',
    check: ({ chat, payload }) => checkText(payload.text, chat.limits.text),
    joined: true,
    right: 'send',
    counts: () => ({ change: 1 }),
    run({ chat, connection, payload, active }) {
      active();
      return edit(chat, connection, payload);
    },
  },
  'message:delete': {
    order: 'ordered',
    joined: true,
    counts: () => ({ change: 1 }),
    run({ chat, connection, room, payload, active }) {
      active();
      return deleteMessage(chat, connection, room, payload);
    },
  },
  'message:history': {
    order: 'read',
    run: ({ chat, room, payload }) => history(chat, room, payload),
  },
  'message:search': {
    order: 'read',
    counts: () => ({ search: 1 }),
    run: ({ chat, connection, room, payload }) => search(chat, connection, room, payload),
  },
  'read:mark': {
    order: 'ordered',
    run: ({ chat, connection, room, payload }) => markRead(chat, connection, room, payload),
  },
  'typing:set': {
    order: 'ordered',
    joined: true,
    right: 'send',
    async run({ chat, connection, room, payload }) {
      chat.typing.set(room, connection, payload.typing);
      return {};
    },
  },
};
