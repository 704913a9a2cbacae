import type { IncomingMessage } from 'node:http';
import type { Logins, SessionUser } from 'php-sessions';
import type { Chat } from '../chat/chat.ts';
import { fileFor, mayUpload } from '../chat/messages/files.ts';
import { exportFor, mayExport } from '../chat/moderation/people.ts';
import { exported } from '../chat/personal-data/export.ts';
import * as questionsApi from '../chat/questions/api.ts';
import * as site from '../chat/site.ts';
import { canOf, totalsOfUser } from '../chat/summary.ts';
import { identityOf } from '../connections/accepted.ts';
import type { Admission } from '../connections/admission.ts';
import { brandedPages } from '../http/branded-pages.ts';
import { type ClientFile, siteAddresses, withSiteAddresses } from '../http/client-files.ts';
import { createFileRoutes } from '../http/files.ts';
import { createMailIn } from '../http/mail-in.ts';
import { createMailStop } from '../http/mail-stop.ts';
import type { Part } from '../http/metrics.ts';
import { createModerateExport } from '../http/moderate-export.ts';
import { type OwnLogin, ownLogin } from '../http/own-login.ts';
import { createRoutes } from '../http/routes.ts';
import { type ConcurrencyLimit, RateLimit } from '../limits/by-key.ts';
import { runFor } from '../limits/requester.ts';
import type { OwnLogins } from '../logins/own-logins.ts';
import type { TicketLogins } from '../logins/ticket-logins.ts';
import { digestOf, lastTicketEnd, noTickets } from '../logins/tickets.ts';
import { stopPage, stopPageStyle } from '../mail/stop-page.ts';
import type { Drain } from '../requests/drain.ts';
import type { Config } from '../settings/config.ts';
import { RequestError } from '../wire/errors.ts';
import { isGuest } from '../wire/guest.ts';
import type { Attachments } from './attachments.ts';
import type { OpenMailReplies } from './mail-replies.ts';
import type { Notifications } from './notifications.ts';
import type { Telemetry } from './telemetry.ts';

/** The parts of the server that HTTP requests need. */
export interface RouteParts {
  chat: Chat;
  /** The files of the browser client, by path. */
  client: ReadonlyMap<string, ClientFile>;
  attachments: Attachments;
  notifications: Notifications;
  /** Undefined if mails cannot be answered. */
  mailReplies: OpenMailReplies | undefined;
  /** Returns the parts that this server lacks to be ready. */
  missing(): Promise<Part[]>;
}

/** The limit of requests for unsubscribe links from one address. A mail provider has few addresses for many users. */
const stopRate = { count: 300, ms: 60_000 };
/** Maximum length of the name of a page. */
const longestPage = 250;

/** Returns the account for which a request reads. Guests share that of the server, because anyone can make up guests. */
const accountOf = ({ id }: { id: string }) => (isGuest(id) ? '' : id);

/** Creates the routes of all HTTP requests, except those to Socket.IO. */
export function openRoutes(
  config: Config,
  {
    chat,
    client,
    attachments: { files, onUpload },
    notifications: { pushKey, mailStops, retryEvents },
    mailReplies,
    missing,
    logins,
    tickets,
    own,
    drain,
    admission,
    reads,
    metrics,
  }: RouteParts &
    Telemetry & {
      logins: Logins;
      tickets: TicketLogins | undefined;
      own: readonly OwnLogins[];
      drain: Drain;
      admission: Admission;
      reads: ConcurrencyLimit;
    },
): ReturnType<typeof createRoutes> {
  const who = async (
    req: IncomingMessage,
    { access, ...sent }: OwnLogin & { access?: string } = {},
    startedAt?: number,
  ) => {
    if (access !== undefined) {
      const [user] = own.flatMap((one) => one.userByFileAccess(access) ?? []);
      return user ? identityOf(user, chat) : 'unauthorized';
    }
    const login = await (sent.ticket !== undefined && tickets !== undefined
      ? tickets.identify(sent.ticket, startedAt)
      : logins.identify(admission.credentials(req, sent)));
    if (!('code' in login)) return login.user.banned ? 'banned' : identityOf(login.user, chat);
    return login.code === 'session_store_unavailable' ? login.code : 'unauthorized';
  };
  /** Answers a page of the site. Without a login, or if the user is banned, the answer is empty. */
  const forLogin =
    (answer: (user: SessionUser, req: IncomingMessage) => Promise<object>) =>
    async (req: IncomingMessage) => {
      const login = await logins.identify(admission.credentials(req, ownLogin(req)));
      if ('code' in login) return login.code === 'session_store_unavailable' ? login.code : {};
      return login.user.banned ? {} : runFor(accountOf(login.user), () => answer(login.user, req));
    };
  async function endLogin(sid: string): Promise<void> {
    if (config.tickets === undefined) throw new RequestError('bad_request', noTickets);
    const until = lastTicketEnd(Date.now(), config.tickets.maxAgeMs);
    await chat.history.write.endLogin({ id: digestOf(sid), until });
  }
  const draining = () => drain.started;
  const openFile = async (stored: string) => (await files?.open(stored, 'file'))?.bytes ?? null;
  const pages = brandedPages(config.branding, client, config.url);
  const look = { ...config.branding, logo: config.branding.logo?.path };
  const addresses = siteAddresses(config.loginUrl, config.profile, config.origins);
  return createRoutes({
    pushKey,
    fileRoutes:
      files &&
      createFileRoutes({
        limit: config.limitFile,
        admission,
        who,
        draining,
        check: (identity, room, isPicture) =>
          runFor(accountOf(identity), () => mayUpload(chat, identity, room, isPicture)),
        add: (upload) => files.add(upload),
        onUpload(code) {
          onUpload(code);
          metrics.uploads.inc({ code });
        },
        find: (identity, id, invite) =>
          runFor(accountOf(identity), () => fileFor(chat, identity, id, invite)),
        open: (stored, what, part) => files.open(stored, what, part),
      }),
    files: new Map([...withSiteAddresses(client, addresses, pages.brand), ...pages.files]),
    imageOrigins: [
      URL.parse(addresses.avatar ?? config.profile.avatar ?? '')?.origin,
      config.cards && addresses.site,
    ].filter((origin) => origin !== undefined),
    metrics,
    apiKeys: config.apiKeys,
    api: {
      postMessage: (room, body) => site.postMessage(chat, room, body),
      readMessage: (room, seq) => site.readMessage(chat, room, seq),
      openQuestion: (body) => questionsApi.ask(chat, body),
      listQuestions: (query) => questionsApi.list(chat, query),
      closeQuestion: (room) => questionsApi.close(chat, room),
      push: (user, body) => chat.everywhere(user, { is: 'push', ...body }),
      putRoom: (id, body) => site.putRoom(chat, { id, ...body }),
      deleteRoom: (room) => site.deleteRoom(chat, room),
      changeMembers: (room, body) => site.changeMembers(chat, room, body),
      putUsers: (body) => site.putUsers(chat, body),
      endLogin,
      kick: (user) => chat.everywhere(user, { is: 'kick' }),
      ban: (user, body) => site.ban(chat, user, body),
      unban: (user) => site.unban(chat, user),
      lookUp: (user) => site.lookUp(chat, user),
      listActs: (query) => site.listActs(chat, query),
      listEvents: () => site.listEvents(chat),
      retryEvents,
      eraseUser: (user, messages) => site.erase(chat, user, messages),
      exportUser: (user) => exported(chat, user, openFile),
    },
    moderateExport: config.moderateData
      ? createModerateExport({
          who,
          stranger: (req) => admission.stranger(req),
          draining,
          grace: config.sessionGrace,
          may: (identity) => mayExport(chat, identity),
          archive: (identity, user) => exportFor(chat, identity, user, openFile),
        })
      : undefined,
    mailStop:
      mailStops &&
      createMailStop({
        takes: (token) => mailStops.takes(token),
        stop: (token) => mailStops.stop(token),
        page: (is, accepted) => stopPage(look, is, accepted, `${config.pageUrl}#notifications`),
        style: stopPageStyle(look),
        limit: new RateLimit(stopRate),
        keyOf: (req) => admission.keyOf(req),
      }),
    mailIn:
      mailReplies &&
      createMailIn({
        keys: config.apiKeys,
        maxBytes: config.maxMailBytes,
        draining,
        take: (bytes, recipient) => mailReplies.replies.take(bytes, { recipient }),
      }),
    me: forLogin(async (user) => {
      const totals = await totalsOfUser(chat.history, chat.directory, reads, identityOf(user, chat));
      return totals === null ? {} : { user: { id: user.id, name: user.name }, ...totals };
    }),
    here: forLogin(async (user, req) => {
      const { id, name, roles } = identityOf(user, chat);
      const query = new URL(req.url ?? '', 'http://localhost').searchParams;
      const page = query.get('page') ?? '';
      // The browser may remember the choice of another user.
      const agreed = query.get('user') === id && page !== '' && page.length <= longestPage;
      const can = canOf(chat.settings, roles);
      if (!agreed || !can.direct || !can.findPeople) return {};
      if (chat.directory.banOf(id) !== null) return {};
      const { avatar } = config.profile;
      return {
        ...(await chat.pageReaders.read(page, { id, name })),
        avatar,
      };
    }),
    team: async () => {
      const guestsAsk = config.guests?.may === 'write' && chat.team.isOn;
      return guestsAsk ? chat.team.expectations() : {};
    },
    admission,
    proxied: config.trustedProxies.length > 0,
    missing,
  });
}
