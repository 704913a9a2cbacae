import type { Login, Logins } from 'php-sessions';
import type { Chat } from '../chat/chat.ts';
import { type Connection, userOf } from '../chat/model.ts';
import { removalsOf } from '../chat/moderation/removals.ts';
import { readyRoomsOf } from '../chat/rooms.ts';
import { canOf, totalsOfPerson } from '../chat/summary.ts';
import { type OnRefusal, SocketTransport } from '../connections/accept.ts';
import { Admission } from '../connections/admission.ts';
import type { Breach } from '../connections/guard.ts';
import type { HttpBreach } from '../http/connections.ts';
import { type HttpServer, openHttpServer } from '../http/server.ts';
import { ConcurrencyLimit, RateLimit } from '../limits/by-key.ts';
import type { Liveness } from '../liveness/liveness.ts';
import type { OwnLogins } from '../logins/own-logins.ts';
import type { TicketLogins } from '../logins/ticket-logins.ts';
import type { Services } from '../requests/dispatch.ts';
import type { Drain } from '../requests/drain.ts';
import type { Config } from '../settings/config.ts';
import type { Traces } from '../traces/traces.ts';
import type { Branding } from '../wire/branding.ts';
import { mostFiles, mostMentions, type SessionReady } from '../wire/events.ts';
import { openRoutes, type RouteParts } from './routes.ts';
import type { Telemetry } from './telemetry.ts';

/** The connections and requests of clients. */
export interface Transport {
  sockets: SocketTransport;
  /** Opens the port. Call it after the chat is opened, because the chat needs `sockets.publisher`. */
  listen(parts: RouteParts & { liveness: Liveness; traces: Traces }): Promise<HttpServer>;
}

/** Maximum concurrent reads of one user, because the reads of all users share one thread or few connections. */
const maxReads = 4;
/** Maximum concurrent searches of one user, because accounts take turns with one thread or two connections. */
const maxSearches = 1;

export function openTransport(
  config: Config,
  options: Telemetry & {
    logins: Logins;
    tickets: TicketLogins | undefined;
    own: readonly OwnLogins[];
    drain: Drain;
  },
): Transport {
  const { logins, own, drain, metrics, log, quiet, health } = options;
  const { arrivals } = health;
  const admission = new Admission(config, logins, drain, arrivals);
  const onRefusal: OnRefusal = ({ code, reason, kind = code, hint }) => {
    metrics.refusals.inc({ code });
    quiet.warn(kind, { code, reason, hint }, 'rejected a connection');
  };
  const onBreach = (reason: Breach | HttpBreach) => {
    metrics.closed.inc({ reason });
    quiet.warn(`closed ${reason}`, { reason }, 'closed a connection by force');
  };
  const sockets = new SocketTransport({
    ...config,
    admission,
    onRefusal,
    onBreach,
    onCut: (idleMs) => arrivals.cut(idleMs),
  });
  return {
    sockets,
    listen(parts) {
      const { chat, liveness, notifications, traces } = parts;
      const services: Services = {
        chat,
        limits: {
          requests: new RateLimit(config.limitRequests),
          reads: new ConcurrencyLimit(maxReads),
          searches: new ConcurrencyLimit(maxSearches),
          send: new RateLimit(config.limitSend),
          search: new RateLimit(config.limitSearch),
          change: new RateLimit(config.limitChange),
          create: new RateLimit(config.limitCreate),
          invite: new RateLimit(config.limitInvite),
          report: new RateLimit(config.limitReport),
        },
        log,
        quiet,
        drain,
        traces,
        onRequest: (event, code) => metrics.requests.inc({ event, code }),
      };
      const fileAccessOf = (login: Login) => own.find((one) => one.has(login))?.fileAccessOf(login);
      const self = (connection: Connection) => selfOf(config, chat, connection);
      sockets.open({
        logins,
        liveness,
        services,
        self,
        fileAccessOf,
        ready: (connection, { login, known }) =>
          readyOf(config, chat, connection, { fileAccess: fileAccessOf(login), known }),
        bans: ({ person: { user } }) =>
          removalsOf(chat.directory.restrictions, user.id).filter(({ room }) =>
            chat.directory.isOpenTo(user.id, room),
          ),
        accepted: notifications.accepted,
        seen: notifications.recordMailAddress,
        renewed: notifications.renewed,
        loggedOut: notifications.loggedOut,
      });
      return openHttpServer({
        ...config,
        endpoint: sockets,
        routes: openRoutes(config, { ...parts, ...options, admission, reads: services.limits.reads }),
        bounds: { places: admission, onRefusal, onBreach },
        log,
        quiet,
      });
    },
  };
}

/** Returns the user of a connection, as `session:ready` and `session:changed` contain it. */
function selfOf({ profile }: Config, { settings }: Chat, connection: Connection) {
  const roles = [...connection.identity.roles];
  return { user: userOf(connection), roles, can: canOf(settings, roles), profile };
}

const readyOf = (
  config: Config,
  chat: Chat,
  connection: Connection,
  { fileAccess, known }: { fileAccess: string | undefined; known: ReadonlySet<string> | undefined },
): SessionReady => ({
  protocol: 1,
  ...selfOf(config, chat, connection),
  ...readyRoomsOf(chat, connection, known),
  node: config.node,
  totals: totalsOfPerson(connection.person),
  limits: { text: config.limits.text, mentions: mostMentions, file: config.limitFile, files: mostFiles },
  fileAccess,
  ...siteOf(config.branding),
  serverTime: Date.now(),
});

const siteOf = ({ name, accent, logo }: Branding): Pick<SessionReady, 'site'> => {
  const site = { ...(name && { name }), ...(accent && { accent }), ...(logo && { logo: logo.path }) };
  return Object.keys(site).length === 0 ? {} : { site };
};
