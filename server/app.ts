import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type Logins, openLogins, type SessionUser, type SiteAccounts, StoreError } from 'php-sessions';
import manifest from '../package.json' with { type: 'json' };
import { audit } from './changes/audit.ts';
import { runConsumers } from './changes/consumer.ts';
import { openChat } from './chat/chat.ts';
import { fileFor, mayUpload } from './chat/messages/files.ts';
import { type Connection, userOf } from './chat/model.ts';
import { type HoldSettings, holdSettings, nameToShow } from './chat/moderation/hold-settings.ts';
import { exportFor, mayExport } from './chat/moderation/people.ts';
import { removalsOf } from './chat/moderation/removals.ts';
import { erasing } from './chat/personal-data/erasing.ts';
import { exported } from './chat/personal-data/export.ts';
import { readyRoomsOf } from './chat/rooms.ts';
import * as site from './chat/site.ts';
import { canOf, totalsOfPerson, totalsOfUser } from './chat/summary.ts';
import { type KnownBus, openBus } from './cluster/bus.ts';
import { Servers } from './cluster/servers.ts';
import { howToRun } from './command/how-to-run.ts';
import { type OnAccepted, type OnRefusal, SocketTransport } from './connections/accept.ts';
import { identityOf } from './connections/accepted.ts';
import { Admission } from './connections/admission.ts';
import type { Breach } from './connections/guard.ts';
import { reportStore } from './connections/store-at-start.ts';
import { Files } from './files/files.ts';
import { eventTypes, type History } from './history/history.ts';
import { openHistory } from './history/open.ts';
import type { Shared } from './history/sql/followed.ts';
import { type ClientFile, siteAddresses, withSiteAddresses } from './http/client-files.ts';
import type { HttpBreach } from './http/connections.ts';
import { createFileRoutes } from './http/files.ts';
import { createMailStop } from './http/mail-stop.ts';
import { Metrics, type Part } from './http/metrics.ts';
import { createModerateExport } from './http/moderate-export.ts';
import { createRoutes } from './http/routes.ts';
import { openHttpServer } from './http/server.ts';
import { ConcurrencyLimit, RateLimit } from './limits/by-key.ts';
import { FileBudget } from './limits/file-budget.ts';
import { Liveness } from './liveness/liveness.ts';
import { type Log, QuietLog } from './log.ts';
import type { Mails } from './mail/mails.ts';
import { SeenAddresses } from './mail/seen-addresses.ts';
import { stopPage, stopPageStyle } from './mail/stop-page.ts';
import { MailStops } from './mail/stops.ts';
import { Notifier } from './notify/notifier.ts';
import { Previews } from './previews/previews.ts';
import { Fcm } from './push/fcm.ts';
import { PushServices } from './push/push-service.ts';
import { Pushes, type PushesOptions } from './push/pushes.ts';
import { DeviceRegistry } from './push/registry.ts';
import { Sealing } from './push/sealing.ts';
import { VapidKeys } from './push/vapid-keys.ts';
import { asideFailures } from './requests/aside-failures.ts';
import { Drain } from './requests/drain.ts';
import { type Config, nodeName } from './settings/config.ts';
import { noTraces, type Traces, tracedHistory } from './traces/traces.ts';
import { webhookEvents } from './webhooks/events.ts';
import { watchPresence } from './webhooks/presence.ts';
import { Webhooks } from './webhooks/webhooks.ts';
import { mostFiles, mostMentions, type SessionReady } from './wire/events.ts';

export interface App {
  host: string;
  port: number;
  /** Reads a changed configuration of the site; absent if there is none. */
  reload: (() => Promise<void>) | undefined;
  /**
   * Shuts down gracefully: refuses new connections, finishes what it has accepted, closes the connections over time,
   * and then everything else.
   */
  close(): Promise<void>;
}

/**
 * Concurrent reads of one user. The history runs reads one after the other, so those of other users wait behind them.
 */
const mostReads = 4;
/** A database server searches over two connections: the slow searches of one user leave the other one free. */
const mostSearches = 1;

/** Requests for links that stop mails, from one address: a provider of mailboxes has few for many people. */
const stopRate = { count: 300, ms: 60_000 };

/** Milliseconds that a client has at shutdown to receive the data on its way to it. */
const longestFarewell = 3000;

/** Milliseconds that mails and pushes under way have at shutdown. */
const longestSending = 2000;

/** Milliseconds that the start waits beyond the drain of another server, which may also be gone and not be known to be. */
const longestGone = 6000;

/** Milliseconds within which a database must answer to count as ready. */
const historyLimit = 1000;

/** Checks whether the history answers. Concurrent callers share one query, since anybody may ask. */
function asking(history: History): () => Promise<boolean> {
  let answer: Promise<boolean> | undefined;
  return () => {
    answer ??= history.read
      .membersOf({ room: '', users: [''] })
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        answer = undefined;
      });
    const late = new Promise<false>((resolve) => setTimeout(resolve, historyLimit, false).unref());
    return Promise.race([answer, late]);
  };
}

/** Milliseconds without the bus that do not make this server unready: users should not be sent elsewhere for less. */
const busGrace = 5000;
/**
 * Milliseconds between two polls of the database: beside a bus, for changes whose hint was lost; without a bus, for all
 * changes.
 */
const look = { besideBus: 1000, alone: 100 };

/** Opens what several servers need of the history; undefined for a single server. */
async function openCluster(
  { cluster, history }: Config,
  { log, quiet, onSaid }: { log: Log; quiet: QuietLog; onSaid: (what: object) => void },
): Promise<(Shared & { bus?: KnownBus }) | undefined> {
  if (cluster === undefined || history.kind === 'sqlite') return undefined;
  let isUp = false;
  const bus = await openBus(cluster, history, (lost) => {
    if (lost !== null) {
      log.error({ reason: lost.message }, 'the bus is down: degraded, messages of other servers come later');
    } else if (!isUp) log.info('the bus is up');
    isUp = lost === null;
  });
  const onForeign = () =>
    quiet.warn('foreign', {}, 'a text on the bus was ignored: it is cut off, or another program sent it');
  const shared = { self: randomUUID(), onSaid, onForeign };
  return bus === undefined ? { ...shared, look: look.alone } : { ...shared, bus, look: look.besideBus };
}

function openServers(
  {
    self,
    history,
    logins,
    metrics,
    log,
  }: { self: string; history: History; logins: Logins; metrics: Metrics; log: Log },
  onFailure: (error: Error) => void,
): Servers {
  const { digest } = history;
  return new Servers({
    self,
    version: manifest.version,
    history,
    onFailure,
    site: digest &&
      logins.fingerprint && {
        async read() {
          const read = await logins.fingerprint?.(digest);
          return read ? { by: digest(`${manifest.version} ${read.settings}`), is: read.site } : null;
        },
        onDiffers(servers) {
          metrics.siteDiffers.set(servers === null ? 0 : 1);
          if (servers === null)
            log.info('this server has read the same configuration of the site as the others');
          else
            log.error(
              { servers, hint: 'compare the files of the site on this server with those on the others' },
              'the configuration of the site is another one than on most servers: this one is not ready',
            );
        },
      },
    onSilence: (server, silent) => {
      if (silent)
        log.warn({ server }, 'nothing has come from a server for 15 s: its users no longer count as present');
      else log.info({ server }, 'a server is back');
    },
    onSameName: (server) =>
      log.warn(
        { server },
        'two servers have the same CHAT_NODE: when one starts, the users of the other are not present for a moment',
      ),
  });
}

/** The accounts of the site as users see them. Without an answer of the site, a search still finds those who have been here. */
const shownAccounts = (
  { names, search }: SiteAccounts,
  hold: HoldSettings | undefined,
  quiet: QuietLog,
): SiteAccounts => ({
  names: async (ids) =>
    new Map([...(await names(ids))].map(([id, name]) => [id, nameToShow(hold, { id, name })])),
  async search(text, limit) {
    try {
      const found = await search(text, limit);
      return found.map(({ id, name }) => ({ id, name: nameToShow(hold, { id, name }) }));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      quiet.warn('accounts', { reason: error.message }, 'the users of the site cannot be searched now');
      return [];
    }
  },
});

/** Undefined if files are off. If their place cannot be used, the log says so and the chat runs without files. */
function openFiles(
  { files: place, fileTypes, limitFile, filesOrphans }: Config,
  { history, budget, log, quiet }: { history: History; budget: FileBudget; log: Log; quiet: QuietLog },
): Files | undefined {
  if (place.kind === 'off') return undefined;
  const onFailure = ({ message: reason }: Error) =>
    quiet.warn('files', { reason }, 'files cannot be stored or deleted at the moment');
  const files = new Files({
    place,
    types: fileTypes,
    maxBytes: limitFile,
    budget,
    orphans: filesOrphans,
    history,
    onFailure,
  });
  files
    .check()
    .catch(({ message: reason }: Error) =>
      log.error(
        { reason, hint: `correct CHAT_FILES; ${howToRun('doctor')} checks it` },
        'files cannot be stored',
      ),
    );
  return files;
}

/** Undefined if this server sends no mails. */
async function openMails(
  { mail, pageUrl }: Config,
  {
    history,
    logins,
    stops,
    quiet,
  }: { history: History; logins: Logins; stops: MailStops | undefined; quiet: QuietLog },
): Promise<Mails | undefined> {
  if (mail === undefined || pageUrl === undefined || stops === undefined) return undefined;
  const { Mails } = await import('./mail/mails.ts');
  return Mails.open({
    ...mail,
    pageUrl,
    history,
    stops,
    addressOf: logins.findMail?.bind(logins),
    onFailure: (reason) => quiet.warn('mails', { reason }, 'a mail to somebody who is away was not sent'),
  });
}

/** Undefined if nobody is notified while no page is open. */
function openPush(
  { push, origins }: Config,
  { history, logins }: { history: History; logins: Logins },
): ({ registry: DeviceRegistry } & Pick<PushesOptions, 'browsers' | 'apps'>) | undefined {
  if (push === undefined) return undefined;
  const sealing = new Sealing(push.keys);
  const browsers = push.browsers && {
    keys: new VapidKeys(history, sealing),
    services: new PushServices(push.browsers.contact, push.browsers.hosts),
  };
  const apps = push.apps && new Fcm(push.apps);
  const registry = new DeviceRegistry({
    history,
    logins,
    sealing,
    origins,
    browsers,
    apps: apps !== undefined,
  });
  return { registry, browsers, apps };
}

/** Without a collector, the packages for traces are not loaded. */
async function tracesOf(config: Config, quiet: QuietLog): Promise<Traces> {
  const { tracesTo: to } = config;
  if (to === undefined) return noTraces;
  const { openTraces } = await import('./traces/opentelemetry.ts');
  return openTraces({
    to,
    node: nodeName(config),
    version: manifest.version,
    onFailure: ({ message: reason }) =>
      quiet.warn('traces', { reason }, 'traces cannot be sent: the collector does not take them'),
  });
}

/**
 * Wires the parts and opens the port.
 * @param client the browser client
 * @param onFailure called when a part that everything needs has failed
 */
export async function startApp(
  config: Config,
  client: ReadonlyMap<string, ClientFile>,
  log: Log,
  onFailure: (error: Error) => void,
): Promise<App> {
  // First, since a configuration that cannot be read ends the start.
  const logins = await openLogins(config.logins, {
    onProblem(problem, isRefusing) {
      metrics.siteUnreadable.set(problem === null ? 0 : 1);
      if (problem === null) log.info('the configuration of the site can be read');
      else
        log.error(
          { reason: problem.message },
          isRefusing
            ? 'the changed configuration of the site cannot be used: nobody is let in'
            : 'the changed configuration of the site cannot be read: the last one still counts',
        );
    },
    onWarning: ({ reason, hint }) => log.warn({ reason, hint }, 'this should be corrected'),
  });
  const metrics = new Metrics({
    connections: () => transport.connections,
    missing: () => missing(),
    events: eventTypes,
  });
  const quiet = new QuietLog(log);
  const drain = new Drain();

  let servers: Servers | undefined;
  const cluster = await openCluster(config, { log, quiet, onSaid: (what) => servers?.heard(what) });
  const traces = await tracesOf(config, quiet);
  const opened = await openHistory(config.history, {
    ...(cluster === undefined ? {} : { shared: cluster }),
    onFailure,
    onDelay: ({ message: reason }) =>
      quiet.warn('background', { reason }, 'deleted rooms and old messages stay in the database for now'),
    onMigration: (is) => {
      if (is === 'waiting') log.info('another server migrates the history: this one waits for it');
      else log.info(is, 'migrating the history: this may take minutes');
    },
    patience: config.drain.within + longestGone,
    onWaiting: () => log.info('another chat server uses the history: this one waits until it ends'),
    onBatch: ({ messages, commitMs }) => {
      metrics.messages.inc(messages);
      metrics.commits.observe(commitMs / 1000);
    },
  });
  const history = traces === noTraces ? opened : tracedHistory(opened, traces);
  const historyAnswers = asking(history);
  if (cluster !== undefined)
    servers = openServers({ self: cluster.self, history, logins, metrics, log }, onFailure);
  const endReport = reportStore(logins, log);
  const admission = new Admission(config, logins, drain);
  const onRefusal: OnRefusal = ({ code, reason, kind = code, hint }) => {
    metrics.refusals.inc({ code });
    quiet.warn(kind, { code, reason, hint }, 'a connection was refused');
  };
  const onBreach = (reason: Breach | HttpBreach) => {
    metrics.closed.inc({ reason });
    quiet.warn(`closed ${reason}`, { reason }, 'a connection was closed by force');
  };
  const transport = new SocketTransport({
    ...config,
    admission,
    onRefusal,
    onBreach,
  });
  const fileBudget = new FileBudget(config.limitFilesUser);
  const files = openFiles(config, { history, budget: fileBudget, log, quiet });
  const hold = holdSettings(config.hold);
  const previews = config.previews
    ? new Previews({
        history,
        files,
        hosts: config.previewHosts,
        hasWord: hold?.hasWord ?? (() => false),
        onFailure: ({ message: reason }) =>
          quiet.warn('previews', { reason }, 'previews of links cannot be made at the moment'),
      })
    : undefined;
  const push = openPush(config, { history, logins });
  const pushKeys = push?.browsers?.keys;
  const onNotifyFailure = ({ message: reason }: Error) =>
    quiet.warn('notify', { reason }, 'people who are away cannot be notified at the moment');
  const stops = config.url === undefined ? undefined : new MailStops(history, config.url);
  const mails = await openMails(config, { history, logins, stops, quiet });
  // If this server sends no mails, the site is notified of the people who are to get one.
  const events = mails === undefined && config.webhooks?.events.has('notify.due') === true;
  const offersMails = mails !== undefined || events;
  const notify =
    offersMails || config.push
      ? new Notifier({
          history,
          defaults: config.notify,
          events,
          onEvent: () => webhooks?.wake(),
          onPushes: () => pushes?.wake(),
          mail: mails?.send,
          mailTo: mails && ((user) => mails.addressOf(user)),
          stopLink: stops && ((user) => stops.link(user)),
          onMail: (outcome) => metrics.mails.inc({ outcome }),
          onFailure: onNotifyFailure,
        })
      : undefined;
  const retryEvents = async () => {
    const { events } = await history.write.retryEvents({ at: Date.now() });
    webhooks?.wake();
    return events;
  };
  const chat = await openChat({
    history,
    publisher: transport.publisher,
    settings: { ...config, mails: offersMails },
    limits: { text: config.limitText, members: config.limitMembers, roomsOfUser: config.limitRoomsUser },
    fileBudget,
    rooms: config.rooms,
    retention: config.retention,
    async kick(user) {
      liveness.kick(user);
      await drain.changesOf(user);
    },
    others: servers,
    accounts: logins.accounts && shownAccounts(logins.accounts, hold, quiet),
    hold,
    previews,
    devices: push?.registry,
    notify,
    ...(config.webhooks ? { retryEvents } : {}),
    onAsideFailure: asideFailures(log, quiet),
    onEndFailure: (err) =>
      quiet.warn('ends', { err }, 'mutes and bans that are over could not be lifted yet'),
    onSweepFailure: (err) =>
      log.error({ err }, 'old messages, or rooms without members, could not be deleted'),
    onOtherRoom: ({ id, name, is }) => {
      const reason = `CHAT_ROOMS has no effect on the room ${id}, which was there already and is ${is}`;
      const body = JSON.stringify({ kind: 'public', name });
      const hint =
        is === 'private'
          ? 'give the room in CHAT_ROOMS another id'
          : `rename the room in the chat, or by PUT /api/rooms/${id} ${body}; or give CHAT_ROOMS the name that it has`;
      log.warn({ reason, hint }, 'this should be corrected');
    },
  });
  const liveness = new Liveness(logins, {
    interval: config.sessionCheck,
    grace: config.sessionGrace,
    keepalive: config.sessionKeepalive,
    onCheck: () => metrics.checks.inc(),
    onEnd: (reason) => metrics.ended.inc({ reason }),
    onStore: (silent) => {
      if (silent === null) log.info('the session store answers again');
      else
        log.error(
          { reason: silent.message },
          'the session store does not answer: open connections stay open for now',
        );
    },
    onUnreadable: ({ message: reason }) =>
      quiet.warn(`unreadable ${reason}`, { reason }, 'a session with open connections cannot be read now'),
    onNotifications: (lost) => {
      if (lost === null) log.info('store notifications are active');
      else
        log.warn(
          { reason: lost.message },
          'store notifications are not active: the regular check finds ended sessions',
        );
    },
    onKeepaliveFailure: ({ message: reason }) =>
      log.warn(
        { reason },
        'a session could not be renewed while its user writes; this reason is logged once',
      ),
  });
  const services = {
    chat,
    limits: {
      requests: new RateLimit(config.limitRequests),
      reads: new ConcurrencyLimit(mostReads),
      searches: new ConcurrencyLimit(mostSearches),
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
    onRequest: (event: string, code: string) => metrics.requests.inc({ event, code }),
  };
  const self = (connection: Connection) => {
    const roles = [...connection.identity.roles];
    return { user: userOf(connection), roles, can: canOf(chat.settings, roles), profile: config.profile };
  };
  const ready = (connection: Connection): SessionReady => ({
    protocol: 1,
    ...self(connection),
    ...readyRoomsOf(chat, connection),
    ...(config.node === undefined ? {} : { node: config.node }),
    totals: totalsOfPerson(connection.person),
    limits: {
      text: config.limitText,
      mentions: mostMentions,
      file: config.limitFile,
      files: mostFiles,
    },
    serverTime: Date.now(),
  });
  const bans = ({ person }: Connection) => removalsOf(chat.directory.restrictions, person.user.id);
  const addresses = mails && new SeenAddresses(history, onNotifyFailure);
  const accepted: OnAccepted = (connection, by) => push?.registry.accepted(connection, by);
  const seen = ({ id, mail, banned }: SessionUser) => {
    if (banned) addresses?.forget(id);
    else if (mail !== undefined) addresses?.note(id, mail);
  };
  const onPushFailure = ({ message: reason }: Error) =>
    quiet.warn('pushes', { reason }, 'pushes cannot be sent at the moment');
  const loggedOut = (connection: Connection) => {
    push?.registry.loggedOut(connection).catch(onPushFailure);
  };
  transport.open({ logins, liveness, services, self, ready, bans, accepted, seen, loggedOut });

  const webhooks =
    config.webhooks &&
    new Webhooks({
      ...config.webhooks,
      history,
      messageOf: (message) => chat.directory.messageOf(message),
      dueOf: async (event) => (await notify?.dueOf(event)) ?? null,
      onTry: ({ type }, outcome) => metrics.webhooks.inc({ type, outcome }),
      onFailure: (reason) => quiet.warn('webhooks', { reason }, 'the site has not taken an event'),
      onHistoryFailure: (reason) =>
        quiet.warn('webhooks history', { reason }, 'events for the site cannot be sent at the moment'),
      onDropped(events) {
        metrics.webhooksDropped.inc(events);
        log.error({ events }, 'events for the site were deleted: too many waited');
      },
      onGone: () =>
        log.error('the site wants no more events (status 410): none is sent until the next start'),
    });

  const presence =
    webhooks &&
    watchPresence(config.webhooks?.events ?? new Set(), webhooks, () => ({
      own: {
        name: servers?.own.name ?? '',
        users: [...chat.directory.everybody()].map(({ user }) => user.id),
      },
      others: servers?.states().filter(({ working }) => working) ?? [],
    }));

  const missing = async (): Promise<Part[]> => {
    const parts: Part[] = [];
    if (drain.started) parts.push('draining');
    if (!(await logins.answers())) parts.push('session store');
    if (config.history.kind !== 'sqlite' && !(await historyAnswers())) parts.push('history');
    const downSince = cluster?.bus?.downSince ?? null;
    if (downSince !== null && performance.now() - downSince > busGrace) parts.push('bus');
    if (servers?.hasSameSite === false) parts.push('site configuration');
    return parts;
  };

  const who = async (req: IncomingMessage, session?: string) => {
    const login = await logins.identify(admission.credentials(req, session));
    if (!('code' in login)) return login.user.banned ? 'banned' : identityOf(login.user, chat);
    return login.code === 'session_store_unavailable' ? login.code : 'unauthorized';
  };
  const openFile = async (stored: string) => (await files?.open(stored, 'file'))?.bytes ?? null;
  const fileRoutes =
    files &&
    createFileRoutes({
      limit: config.limitFile,
      admission,
      who,
      draining: () => drain.started,
      check: (identity, room) => mayUpload(chat, identity, room),
      add: (upload) => files.add(upload),
      onUpload: (code) => metrics.uploads.inc({ code }),
      find: (identity, id) => fileFor(chat, identity, id),
      open: (stored, what, part) => files.open(stored, what, part),
    });
  const pageAddresses = siteAddresses(config.loginUrl, config.profile, config.origins);
  const routes = createRoutes({
    pushKey: pushKeys && (async () => (await pushKeys.current()).public),
    fileRoutes,
    files: withSiteAddresses(client, pageAddresses),
    avatarOrigin: URL.parse(pageAddresses.avatar ?? config.profile.avatar ?? '')?.origin,
    metrics,
    apiKeys: config.apiKeys,
    api: {
      postMessage: (room, body) => site.postMessage(chat, room, body),
      push: (user, body) => chat.everywhere(user, { is: 'push', ...body }),
      putRoom: (id, body) => site.putRoom(chat, { id, ...body }),
      deleteRoom: (room) => site.deleteRoom(chat, room),
      changeMembers: (room, body) => site.changeMembers(chat, room, body),
      putUsers: (body) => site.putUsers(chat, body),
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
          draining: () => drain.started,
          grace: config.sessionGrace,
          may: (identity) => mayExport(chat, identity),
          archive: (identity, user) => exportFor(chat, identity, user, openFile),
        })
      : undefined,
    mailStop:
      stops &&
      createMailStop({
        takes: (token) => stops.takes(token),
        stop: (token) => stops.stop(token),
        page: (is, accepted) => stopPage(is, accepted, `${config.pageUrl}#notifications`),
        style: stopPageStyle,
        limit: new RateLimit(stopRate),
        keyOf: (req) => admission.keyOf(req),
      }),
    me: async (req) => {
      const login = await logins.identify(admission.credentials(req));
      if ('code' in login) return login.code === 'session_store_unavailable' ? login.code : {};
      const { id, name, banned } = login.user;
      const { reads } = services.limits;
      const totals = banned
        ? null
        : await totalsOfUser(history, chat.directory, reads, identityOf(login.user, chat));
      return totals === null ? {} : { user: { id, name }, ...totals };
    },
    admission,
    proxied: config.trustedProxies.length > 0,
    missing,
  });

  servers?.open(chat.here);

  const server = await openHttpServer({
    ...config,
    endpoint: transport,
    routes,
    bounds: { places: admission, onRefusal, onBreach },
    log,
    quiet,
  });
  await servers?.join(nodeName(config));
  const notifying = config.webhooks && webhookEvents(config.webhooks.events, () => webhooks?.wake());
  notify?.open(chat.directory);
  const pushes =
    push &&
    new Pushes({
      ...push,
      history,
      directory: chat.directory,
      defaults: config.notify,
      onPush: (outcome) => metrics.pushes.inc({ outcome }),
      onRefusal: (reason) => quiet.warn(`push ${reason}`, { reason }, 'a push service has not taken a push'),
      onFailure: onPushFailure,
    });
  const following = [
    erasing(chat),
    audit,
    ...(notifying ? [notifying] : []),
    ...(notify ? [notify.consumer] : []),
  ];
  for (const { name: consumer } of following) {
    metrics.skipped.inc({ consumer }, 0);
    metrics.failed.inc({ consumer }, 0);
  }
  const consumers = runConsumers(history, following, {
    onFailure(consumer, { message: reason }) {
      metrics.failed.inc({ consumer });
      quiet.warn(
        `consumer ${consumer}`,
        { consumer, reason },
        'a consumer of the changes could not go on yet',
      );
    },
    onSkipped(consumer, entries) {
      metrics.skipped.inc({ consumer }, entries);
      log.error({ consumer, entries }, 'a consumer of the changes was too far behind: it has missed entries');
    },
  });

  return {
    host: config.host,
    port: server.port,
    reload: logins.reload,
    async close() {
      const { over, within } = config.drain;
      // The time after the last connection is closed, in three equal parts: last packets, last bytes, the history.
      const each = (within - over) / 3;
      endReport();
      drain.start();
      // The port is still open here, because a polling client needs one more request to learn that its connection is
      // closed.
      await transport.close(drain, { over, lastPackets: Math.min(longestFarewell, each) });
      liveness.stop();
      chat.close();
      await drain.finishAll();
      previews?.close();
      await files?.close();
      presence?.stop();
      const closed = [server.close(Math.min(longestFarewell, each)), servers?.close(), consumers.stop()];
      const ended = Promise.all([...closed, webhooks?.stop(), notify?.close(), pushes?.stop()]);
      await Promise.race([ended, pause(Math.min(longestSending, each), undefined, { ref: false })]);
      mails?.close();
      push?.browsers?.services.close();
      push?.apps?.close();
      await ended;
      logins.close();
      await history.close();
      cluster?.bus?.close();
      await traces.close(each);
    },
  };
}
