import { acts } from '../chat/moderation/acts.ts';
import { moderatesAny } from '../chat/moderation/known-rooms.ts';
import { overview, rooms } from '../chat/moderation/overview.ts';
import { ban, erase, people, person } from '../chat/moderation/people.ts';
import { closeReport, listReports, reportContext } from '../chat/moderation/reports.ts';
import { canOf } from '../chat/summary.ts';
import type { Can, RequestName } from '../wire/events.ts';
import type { Context, RequestHandlers } from './request.ts';

/** Returns a check whether the user has this part of the moderators' page. */
const has =
  (part: keyof NonNullable<Can['moderate']>) =>
  ({ chat, connection }: Pick<Context<RequestName>, 'chat' | 'connection'>): boolean =>
    canOf(chat.settings, connection.identity.roles).moderate?.[part] === true;

export const moderationRequests: RequestHandlers<
  | 'report:list'
  | 'report:close'
  | 'report:context'
  | 'moderate:people'
  | 'moderate:person'
  | 'moderate:ban'
  | 'moderate:erase'
  | 'moderate:acts'
  | 'moderate:overview'
  | 'moderate:rooms'
  | 'moderate:retry'
> = {
  'report:list': {
    order: 'read',
    allowed: ({ connection }) => moderatesAny(connection),
    run: ({ chat, connection, payload }) => listReports(chat, connection, payload),
  },
  // The rights depend on the report: see `closeReport`.
  'report:close': {
    order: 'change',
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => closeReport(chat, connection, payload),
  },
  'report:context': {
    order: 'read',
    run: ({ chat, connection, payload }) => reportContext(chat, connection, payload),
  },
  'moderate:people': {
    order: 'read',
    allowed: has('people'),
    counts: ({ query }) => (query === undefined ? {} : { search: 1 }),
    run: ({ chat, connection, payload }) => people(chat, connection, payload),
  },
  'moderate:person': {
    order: 'read',
    allowed: has('people'),
    run: ({ chat, connection, payload }) => person(chat, connection, payload),
  },
  'moderate:ban': {
    order: 'change',
    allowed: has('people'),
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => ban(chat, connection, payload),
  },
  'moderate:erase': {
    order: 'change',
    allowed: has('data'),
    counts: () => ({ change: 1 }),
    run: ({ chat, connection, payload }) => erase(chat, connection, payload),
  },
  'moderate:acts': {
    order: 'read',
    allowed: has('log'),
    run: ({ chat, connection, payload }) => acts(chat, connection, payload),
  },
  'moderate:overview': {
    order: 'read',
    allowed: has('people'),
    run: ({ chat, connection }) => overview(chat, connection),
  },
  'moderate:rooms': {
    order: 'read',
    allowed: has('people'),
    run: ({ chat, connection, payload }) => rooms(chat, connection, payload),
  },
  'moderate:retry': {
    order: 'change',
    // Only admins see the audit log, and may retry the failed events for the site.
    allowed: (context) => has('log')(context) && context.chat.retryEvents !== undefined,
    counts: () => ({ change: 1 }),
    run: async ({ chat }) => ({ events: (await chat.retryEvents?.()) ?? 0 }),
  },
};
