import pino from 'pino';
import type { Chat } from '../../server/chat/chat.ts';
import type { Connection } from '../../server/chat/model.ts';
import { ConcurrencyLimit, RateLimit } from '../../server/limits/by-key.ts';
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
const unlimited = () => new RateLimit({ count: 0, ms: 1000 });

/** Connects people to a chat in this process, and carries out their requests as those of sockets, without limits. */
export function askedDirectly(
  chat: Chat,
  drain = new Drain(),
): (id: string, roles?: SiteRole[]) => Promise<Asker> {
  const log = pino({ enabled: false });
  const limits = {
    requests: unlimited(),
    send: unlimited(),
    search: unlimited(),
    change: unlimited(),
    create: unlimited(),
    invite: unlimited(),
    report: unlimited(),
    reads: new ConcurrencyLimit(4),
    searches: new ConcurrencyLimit(1),
  };
  const services = {
    ...{ chat, limits, log, quiet: new QuietLog(log) },
    ...{ drain, traces: noTraces, onRequest: ignore },
  };
  return async (id, roles = []) => {
    const connection = await chat.directory.connect(`c-${id}`, {
      id,
      name: `Name of ${id}`,
      roles,
      rooms: [],
    });
    const intake = { begin: ignore, end: ignore, punish: ignore };
    const listen = requestListener(services, { connection, intake, weight: { received: 0 }, active: ignore });
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
