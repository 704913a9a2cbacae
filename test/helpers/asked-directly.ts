import pino from 'pino';
import type { Chat } from '../../server/chat/chat.ts';
import { connectUser } from '../../server/chat/connected-users.ts';
import type { Connection } from '../../server/chat/model.ts';
import { ConcurrencyLimit, type Rate, RateLimit } from '../../server/limits/by-key.ts';
import { QuietLog } from '../../server/log.ts';
import { requestListener } from '../../server/requests/dispatch.ts';
import { Drain } from '../../server/requests/drain.ts';
import { noTraces } from '../../server/traces/traces.ts';
import type { SiteRole } from '../../server/wire/events.ts';

export interface Asker {
  readonly connection: Connection;
  ask(event: string, payload: object): Promise<{ ok: boolean; data?: object; error?: { code: string } }>;
}

const ignore = () => {};
const unlimited = { count: 0, ms: 1000 };
const noLimits = {
  ...{ requests: unlimited, send: unlimited, search: unlimited, change: unlimited },
  ...{ create: unlimited, invite: unlimited, report: unlimited },
};

/** Runs the requests of connections to a chat in this process, without sockets. A missing rate means no limit. */
export function directRequests(
  chat: Chat,
  rates: Partial<Record<keyof typeof noLimits, Rate>> = {},
  drain = new Drain(),
): (connection: Connection) => ReturnType<typeof requestListener> {
  const log = pino({ enabled: false });
  const limits = Object.fromEntries(
    Object.entries({ ...noLimits, ...rates }).map(([name, rate]) => [name, new RateLimit(rate)]),
  ) as Record<keyof typeof noLimits, RateLimit>;
  const services = {
    ...{ chat, log, quiet: new QuietLog(log), drain, traces: noTraces, onRequest: ignore },
    limits: { ...limits, reads: new ConcurrencyLimit(4), searches: new ConcurrencyLimit(1) },
  };
  const intake = { begin: ignore, end: ignore, punish: ignore };
  return (connection) =>
    requestListener(services, {
      connection,
      intake,
      weight: { received: 0 },
      active: ignore,
      renew: async () => ({ fileAccess: '' }),
    });
}

/**
 * Connects users to a chat in this process, and runs their requests as if they came from sockets, but without limits.
 */
export function askedDirectly(chat: Chat, drain?: Drain): (id: string, roles?: SiteRole[]) => Promise<Asker> {
  const requests = directRequests(chat, {}, drain);
  return async (id, roles = []) => {
    const connection = await connectUser(chat, `c-${id}`, {
      id,
      name: `Name of ${id}`,
      roles,
      rooms: [],
    });
    const listen = requests(connection);
    const ask: Asker['ask'] = (event, payload) =>
      new Promise((done) => {
        listen(event, payload, (answer: never) => {
          done(answer);
          return 0;
        });
      });
    return { connection, ask };
  };
}
