import {
  deleteReminder,
  editScheduled,
  listReminders,
  listScheduled,
  remind,
  schedule,
  scheduled,
  sendNow,
  unschedule,
} from '../chat/later.ts';
import { findCards, pressButton, readCard } from '../chat/messages/cards.ts';
import { checkMentions } from '../chat/messages/mentions.ts';
import {
  deleteMessage,
  edit,
  endPoll,
  forward,
  history,
  mark,
  newForward,
  react,
  reacted,
  reactors,
  removePreview,
  search,
  send,
  sent,
} from '../chat/messages/messages.ts';
import { pin } from '../chat/messages/pins.ts';
import { markRead } from '../chat/messages/reading.ts';
import { checkText } from '../chat/messages/texts.ts';
import { follow, thread } from '../chat/messages/threads.ts';
import { messageFor } from '../chat/mine.ts';
import { report } from '../chat/moderation/reports.ts';
import { RequestError } from '../wire/errors.ts';
import {
  allGuests,
  type Context,
  guestsWhoWrite,
  type RequestHandler,
  type RequestHandlers,
} from './request.ts';

/** Needs no right, because members may react even if only moderators may write. */
const reactRequest: RequestHandler<'message:react'> & RequestHandler<'poll:vote'> = {
  guests: guestsWhoWrite,
  order: 'ordered',
  joined: true,
  counts: () => ({ change: 1 }),
  async run({ chat, connection, payload, notCounted, active }) {
    const { message, changed } = await react(chat, connection, payload);
    if (changed) active();
    else notCounted();
    return { message };
  },
  probe: async ({ chat, connection, room, payload }) =>
    connection.joined.has(room) ? reacted(chat, connection, payload) : null,
};

export const messageRequests: RequestHandlers<
  | 'message:send'
  | 'message:forward'
  | 'message:edit'
  | 'message:delete'
  | 'message:unpreview'
  | 'message:react'
  | 'poll:vote'
  | 'poll:end'
  | 'card:get'
  | 'card:find'
  | 'card:press'
  | 'message:mark'
  | 'message:pin'
  | 'message:unpin'
  | 'message:reactions'
  | 'message:seen'
  | 'message:report'
  | 'message:history'
  | 'thread:get'
  | 'thread:follow'
  | 'message:search'
  | 'read:mark'
  | 'typing:set'
  | 'scheduled:add'
  | 'scheduled:list'
  | 'scheduled:edit'
  | 'scheduled:send'
  | 'scheduled:delete'
  | 'reminder:set'
  | 'reminder:list'
  | 'reminder:delete'
> = {
  'message:send': {
    guests: guestsWhoWrite,
    order: 'ordered',
    check({ chat, payload: { text, files = [], mentions, poll } }) {
      checkText(text, chat.limits.text, files.length > 0 && poll === undefined);
      checkMentions(text, mentions);
    },
    joined: true,
    right: 'send',
    allowed: ({ chat, payload }) => payload.card === undefined || chat.cards !== undefined,
    counts: () => ({ send: 1 }),
    run: ({ chat, connection, room, payload, notCounted, active }) =>
      counted(send(chat, connection, room, payload), { notCounted, active }),
    probe: ({ chat, connection, room, payload }) => sent(chat, connection, room, payload),
  },
  // The original may be in any room that the user may read.
  'message:forward': {
    order: 'ordered',
    allowed: ({ connection, room }) => connection.person.memberships.has(room.record.id),
    right: 'send',
    counts: () => ({ send: 1 }),
    run: ({ chat, connection, room, payload, notCounted, active }) =>
      counted(forward(chat, connection, room, payload), { notCounted, active }),
    async probe({ chat, connection, room, payload }) {
      const copy = { ...newForward(chat, connection, room, payload), asMember: false };
      const known = await chat.history.probe.forward(copy);
      return known && { message: await messageFor(chat, connection.person, known.message) };
    },
  },
  'message:edit': {
    guests: guestsWhoWrite,
    order: 'ordered',
    check({ chat, payload: { text, files, mentions } }) {
      // It is not yet known whether the message already has files.
      checkText(text, chat.limits.text, files === undefined || files.length > 0);
      checkMentions(text, mentions);
    },
    joined: true,
    right: 'send',
    counts: () => ({ change: 1 }),
    run({ chat, connection, room, payload, active }) {
      active();
      return edit(chat, connection, room, payload);
    },
  },
  'message:delete': {
    guests: guestsWhoWrite,
    order: 'ordered',
    joined: true,
    counts: () => ({ change: 1 }),
    run({ chat, connection, room, payload, active }) {
      active();
      return deleteMessage(chat, connection, room, payload);
    },
  },
  'message:react': reactRequest,
  'poll:vote': reactRequest,
  'poll:end': {
    guests: guestsWhoWrite,
    order: 'ordered',
    joined: true,
    counts: () => ({ change: 1 }),
    run({ chat, connection, room, payload, active }) {
      active();
      return endPoll(chat, connection, room, payload);
    },
  },
  'card:get': {
    order: 'site',
    allowed: ({ chat }) => chat.cards !== undefined,
    run: ({ chat, connection, room, payload }) => readCard(chat, connection, room, payload),
  },
  'card:find': {
    order: 'site',
    right: 'send',
    allowed: ({ chat }) => chat.cards !== undefined,
    counts: () => ({ search: 1 }),
    run: ({ chat, connection, payload }) => findCards(chat, connection, payload),
  },
  'card:press': {
    order: 'site',
    allowed: ({ chat }) => chat.cards !== undefined,
    counts: () => ({ change: 1 }),
    run({ chat, connection, room, payload, active }) {
      active();
      return pressButton(chat, connection, room, payload);
    },
  },
  'message:unpreview': {
    guests: guestsWhoWrite,
    order: 'ordered',
    joined: true,
    counts: () => ({ change: 1 }),
    run({ chat, connection, room, payload, active }) {
      active();
      return removePreview(chat, connection, room, payload);
    },
  },
  'message:mark': {
    order: 'ordered',
    joined: true,
    right: 'moderate',
    counts: () => ({ change: 1 }),
    async run({ chat, connection, room, payload, notCounted, active }) {
      const { message, changed } = await mark(chat, connection, room, payload);
      if (changed) active();
      else notCounted();
      return { message };
    },
  },
  'message:pin': pinRequest(true),
  'message:unpin': pinRequest(false),
  'message:report': {
    guests: guestsWhoWrite,
    order: 'ordered',
    counts: () => ({ report: 1 }),
    async run({ chat, connection, payload, notCounted }) {
      const { repeated } = await report(chat, connection, payload);
      if (repeated) notCounted();
      return {};
    },
  },
  'message:reactions': {
    guests: allGuests,
    order: 'read',
    run: ({ chat, connection, payload }) => reactors(chat, connection, payload),
  },
  'message:seen': {
    order: 'read',
    allowed: ({ chat }) => chat.settings.seen,
    run: ({ chat, connection, room, payload }) => chat.seenBy.ask(connection, room, payload),
  },
  'message:history': {
    guests: allGuests,
    order: 'read',
    run: ({ chat, connection, room, payload }) => history(chat, connection, room, payload),
  },
  'thread:get': {
    guests: allGuests,
    order: 'read',
    run: ({ chat, connection, room, payload }) => thread(chat, connection, room, payload),
  },
  'thread:follow': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => follow(chat, connection, room, payload),
  },
  'message:search': {
    guests: allGuests,
    order: 'read',
    counts: () => ({ search: 1 }),
    run: ({ chat, connection, room, payload }) => search(chat, connection, room, payload),
  },
  'read:mark': {
    guests: allGuests,
    order: 'ordered',
    // The number of messages limits how often the marker can move forward, but it can move back without a limit.
    counts: ({ unread }) => (unread ? { change: 1 } : {}),
    run: ({ chat, connection, room, payload }) => markRead(chat, connection, room, payload),
  },
  'typing:set': {
    guests: guestsWhoWrite,
    order: 'ordered',
    joined: true,
    right: 'send',
    async run({ chat, connection, room, payload }) {
      chat.typing.set(room, connection, payload.typing);
      return {};
    },
  },
  'scheduled:add': {
    order: 'change',
    check({ chat, payload: { text, files = [], mentions } }) {
      checkText(text, chat.limits.text, files.length > 0);
      checkMentions(text, mentions);
    },
    allowed: ({ chat, connection, room, payload }) =>
      connection.person.memberships.has(room.record.id) &&
      (payload.card === undefined || chat.cards !== undefined),
    right: 'send',
    counts: () => ({ send: 1 }),
    run: ({ chat, connection, room, payload, notCounted, active }) =>
      counted(schedule(chat, connection, room, payload), { notCounted, active }),
    probe: ({ chat, connection, room, payload }) => scheduled(chat, connection, room, payload),
  },
  'scheduled:list': {
    order: 'read',
    run: ({ chat, connection }) => listScheduled(chat, connection),
  },
  // The rights are checked when the message is sent.
  'scheduled:edit': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run({ chat, connection, payload, active }) {
      active();
      return editScheduled(chat, connection, payload);
    },
  },
  'scheduled:send': {
    order: 'change',
    counts: () => ({ send: 1 }),
    async run({ chat, connection, payload, active }) {
      const answer = await sendNow(chat, connection, payload);
      active();
      return answer;
    },
  },
  'scheduled:delete': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => unschedule(chat, connection, payload),
  },
  'reminder:set': {
    order: 'change',
    allowed: ({ connection, room }) => connection.person.memberships.has(room.record.id),
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, room, payload }) => remind(chat, connection, room, payload),
  },
  'reminder:list': {
    order: 'read',
    run: ({ chat, connection }) => listReminders(chat, connection),
  },
  'reminder:delete': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => deleteReminder(chat, connection, payload),
  },
};

/** Returns the response to a request that sends a message. A repeat does not count. */
async function counted<Answer>(
  sending: Promise<{ answer: Answer; repeated: boolean }>,
  { notCounted, active }: Pick<Context<'message:send'>, 'notCounted' | 'active'>,
): Promise<Answer> {
  try {
    const { answer, repeated } = await sending;
    // Clients repeat requests automatically, so a repeat does not keep the session alive.
    if (repeated) notCounted();
    else active();
    return answer;
  } catch (error) {
    // Slow mode, or the file budget. A request over one limit counts against none of them.
    if (error instanceof RequestError && error.code === 'rate_limited') notCounted();
    throw error;
  }
}

function pinRequest(pinned: boolean): RequestHandler<'message:pin'> & RequestHandler<'message:unpin'> {
  return {
    order: 'ordered',
    joined: true,
    right: 'pin',
    counts: () => ({ change: 1 }),
    async run({ chat, connection, room, payload, notCounted, active }) {
      if (await pin(chat, connection, room, { ...payload, pinned })) active();
      else notCounted();
      return {};
    },
  };
}
