import { approvePending, discardPending, listPending, rejectPending } from '../chat/moderation/held.ts';
import { moderatesAny } from '../chat/moderation/known-rooms.ts';
import { guestsWhoWrite, type RequestHandlers } from './request.ts';

/** Messages that are pending approval. The rights depend on their rooms: see `decidesIn`. */
export const heldRequests: RequestHandlers<'held:list' | 'held:approve' | 'held:reject' | 'held:discard'> = {
  'held:list': {
    guests: guestsWhoWrite,
    order: 'read',
    allowed: ({ connection, payload }) => payload.mine === true || moderatesAny(connection),
    run: ({ chat, connection, payload }) => listPending(chat, connection, payload),
  },
  'held:approve': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run({ chat, connection, payload, active }) {
      active();
      return approvePending(chat, connection, payload);
    },
  },
  'held:reject': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run({ chat, connection, payload, active }) {
      active();
      return rejectPending(chat, connection, payload);
    },
  },
  'held:discard': {
    guests: guestsWhoWrite,
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => discardPending(chat, connection, payload),
  },
};
