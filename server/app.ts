import { setTimeout as pause } from 'node:timers/promises';
import { type Finding, warning } from 'php-sessions/doctor';
import { openAttachments } from './app/attachments.ts';
import { startConsumers } from './app/consumers.ts';
import { openSharedHistory } from './app/history.ts';
import { followEndedLogins, openSiteLogins } from './app/logins.ts';
import { openMailReplies } from './app/mail-replies.ts';
import { openNotifications } from './app/notifications.ts';
import { reportQuestions } from './app/questions.ts';
import { logFailures, openReport } from './app/readiness.ts';
import { openTraces, type Telemetry } from './app/telemetry.ts';
import { openTransport } from './app/transport.ts';
import { SiteCards } from './cards/cards.ts';
import { holdSettings } from './chat/moderation/hold-settings.ts';
import { openChat } from './chat/open-chat.ts';
import { Health } from './health/health.ts';
import { eventTypes } from './history/history.ts';
import type { ClientFile } from './http/client-files.ts';
import { Metrics } from './http/metrics.ts';
import { createLog, type Log, QuietLog } from './log.ts';
import { guestOf } from './logins/guests.ts';
import { asideFailures } from './requests/aside-failures.ts';
import { Drain } from './requests/drain.ts';
import { type Config, nodeName } from './settings/config.ts';

export interface App {
  host: string;
  port: number;
  /** Reads the changed site configuration. Undefined if the server does not read a site configuration. */
  reload: (() => Promise<void>) | undefined;
  /**
   * Shuts down gracefully. Rejects new connections, finishes accepted requests, closes the connections over time, and
   * then all other parts.
   */
  close(): Promise<void>;
}

/** At shutdown, clients have this time to receive the data that was sent to them. */
const maxFarewellMs = 3000;

/** At shutdown, mails, pushes and events have this time to be sent. */
const maxSendingMs = 2000;

/**
 * Opens the logins of the site as `startApp` does, and closes them.
 * @returns what the running server would report about them
 * @throws ConfigurationError if the configuration of the site cannot be used
 */
export async function checkLogins(config: Config): Promise<Finding[]> {
  const telemetry = openTelemetry(config, createLog('silent'));
  const siteLogins = await openSiteLogins(config, holdSettings(config.hold), telemetry);
  try {
    return await telemetry.health.findings();
  } finally {
    siteLogins.stop();
    siteLogins.close();
  }
}

/**
 * Opens the parts of the server in the order of their dependencies, then the port, and joins the other servers.
 * @param client the files of the browser client
 * @param onFailure called when the history fails, so the server must end
 */
export async function startApp(
  config: Config,
  client: ReadonlyMap<string, ClientFile>,
  log: Log,
  onFailure: (error: Error) => void,
): Promise<App> {
  const telemetry = openTelemetry(config, log);
  const { quiet, metrics, health } = telemetry;
  const drain = new Drain();
  health.add({
    part: 'draining',
    works: () => !drain.started,
    describe: (works) => (works ? undefined : warning('The server is stopping.', 'Start it again.')),
  });
  const hold = holdSettings(config.hold);
  // Opened before the history, because the start fails if the site configuration cannot be used.
  const siteLogins = await openSiteLogins(config, hold, telemetry);
  const { logins, liveness, tickets, own } = siteLogins;
  const traces = await openTraces(config, telemetry);
  const sharedHistory = await openSharedHistory(config, { ...telemetry, logins, traces, onFailure });
  const { history, servers } = sharedHistory;
  if (tickets !== undefined) await followEndedLogins(tickets, history);
  const transport = openTransport(config, { ...telemetry, logins, tickets, own, drain });
  const attachments = openAttachments(config, { ...telemetry, history, hold });
  const notifications = await openNotifications(config, { ...telemetry, history, logins });
  const onCardFailure = (reason: string) => quiet.warn('cards', { reason }, 'card from the site unusable');
  const cards = config.cards && new SiteCards({ ...config.cards, onFailure: onCardFailure });
  const chat = await openChat({
    history,
    publisher: transport.sockets.publisher,
    settings: { ...config, mails: notifications.offersMails },
    limits: config.limits,
    fileBudget: attachments.budget,
    rooms: config.rooms,
    retention: config.retention,
    async kick(user) {
      liveness.kick(user);
      await drain.changesOf(user);
    },
    others: servers,
    accounts: siteLogins.accounts,
    guestOf: config.guests && guestOf,
    hold,
    previews: attachments.previews,
    cards,
    devices: notifications.devices,
    notify: notifications.notifier,
    missing: () => health.missing(),
    retryEvents: config.webhooks && notifications.retryEvents,
    onAsideFailure: asideFailures(log, quiet),
    onEndFailure: (err) => quiet.warn('ends', { err }, 'could not lift expired mutes and bans, retrying'),
    onSweepFailure: (err) => log.error({ err }, 'could not delete expired data, retrying'),
    onKeysRenewed({ users, more }) {
      if (more) health.renewing.add('search keys of users');
      else {
        health.renewing.delete('search keys of users');
        log.info({ users }, 'renewed the search keys of users');
      }
    },
    onKeysFailure: (err) => log.error({ err }, 'could not renew the search keys of users, retrying'),
    onDueFailure: (err) => quiet.warn('due', { err }, 'could not send scheduled messages, retrying'),
    onOtherRoom: (room) => log.warn(describeRoomConflict(room), 'configuration problem found'),
  });
  const missing = logFailures(() => health.missing(), log);
  metrics.addGauges({
    connections: () => transport.sockets.connections,
    missing,
  });
  reportQuestions(chat, telemetry);
  servers?.open(chat.here);
  const mailReplies = openMailReplies(config, { ...telemetry, chat, attachments, notifications });
  const server = await transport.listen({
    chat,
    client,
    liveness,
    attachments,
    notifications,
    mailReplies,
    traces,
    missing,
  });
  const report = await openReport({ ...config, port: server.port }, telemetry);
  await servers?.join(nodeName(config));
  notifications.start(chat, servers);
  mailReplies?.start(servers);
  const consumers = startConsumers(chat, notifications, telemetry);

  return {
    host: config.host,
    port: server.port,
    reload: logins.reload,
    async close() {
      const { over, within } = config.drain;
      // The time after `over` has three equal parts: for the last packets, for the last bytes, and for the history with
      // the traces.
      const each = (within - over) / 3;
      const farewellMs = Math.min(maxFarewellMs, each);
      drain.start();
      await report.close();
      // The port is still open here, because a polling client needs one more request to learn that its connection is
      // closed.
      await transport.sockets.close(drain, { over, lastPackets: farewellMs });
      siteLogins.stop();
      chat.close();
      cards?.close();
      await drain.finishAll();
      await attachments.close();
      const ended = Promise.all([
        server.close(farewellMs),
        servers?.close(),
        consumers.stop(),
        notifications.stop(),
        mailReplies?.stop(),
      ]);
      await Promise.race([ended, pause(Math.min(maxSendingMs, each), undefined, { ref: false })]);
      notifications.close();
      await ended;
      siteLogins.close();
      await sharedHistory.close();
      await traces.close(each);
    },
  };
}

function openTelemetry(config: Config, log: Log): Telemetry {
  return {
    log,
    quiet: new QuietLog(log),
    metrics: new Metrics(eventTypes),
    health: new Health(config),
  };
}

/** Returns the reason and the hint about an existing room on which CHAT_ROOMS has no effect. */
function describeRoomConflict({ id, name, is }: { id: string; name: string; is: string }) {
  const reason = `CHAT_ROOMS has no effect on the room ${id}, which already exists and is ${is}`;
  const body = JSON.stringify({ kind: 'public', name });
  const hint =
    is === 'private'
      ? 'use another ID for this room in CHAT_ROOMS'
      : `rename the room in the chat, or by PUT /api/rooms/${id} ${body}; or use its current name in CHAT_ROOMS`;
  return { reason, hint };
}
