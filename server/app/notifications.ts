import type { Logins, SessionUser } from 'php-sessions';
import { type Finding, ok, problem, warning } from 'php-sessions/doctor';
import type { Consumer } from '../changes/consumer.ts';
import type { Chat } from '../chat/chat.ts';
import type { Connection } from '../chat/model.ts';
import { forgetAddress } from '../chat/questions/address.ts';
import type { Servers } from '../cluster/servers.ts';
import type { OnAccepted } from '../connections/accept.ts';
import { Failures, minuteOf } from '../health/failures.ts';
import type { Health } from '../health/health.ts';
import type { History } from '../history/history.ts';
import type { Mails } from '../mail/mails.ts';
import { placeOf as mailPlaceOf } from '../mail/place.ts';
import { ReplyTokens } from '../mail/replies/tokens.ts';
import { SeenAddresses } from '../mail/seen-addresses.ts';
import { MailStops } from '../mail/stops.ts';
import { Notifier } from '../notify/notifier.ts';
import { Fcm } from '../push/fcm.ts';
import { PushServices } from '../push/push-service.ts';
import { Pushes, type PushesOptions } from '../push/pushes.ts';
import { DeviceRegistry } from '../push/registry.ts';
import { Sealing } from '../push/sealing.ts';
import { VapidKeys } from '../push/vapid-keys.ts';
import type { Config } from '../settings/config.ts';
import { webhookEvents } from '../webhooks/events.ts';
import { watchPresence } from '../webhooks/presence.ts';
import { Webhooks } from '../webhooks/webhooks.ts';
import type { Telemetry } from './telemetry.ts';

/** Failed events that are counted. */
const maxListedEvents = 100;

type Kind = 'mails' | 'webhooks' | 'pushes';

/** Mails and pushes to offline users, and webhooks to the site. */
export interface Notifications {
  /** Undefined if no setting asks for mails or pushes. */
  notifier: Notifier | undefined;
  /** Undefined if pushes are off. */
  devices: DeviceRegistry | undefined;
  /** Returns the key for the push subscriptions of browsers. Undefined if pushes to browsers are off. */
  pushKey: (() => Promise<string>) | undefined;
  /** Whether users get mails, from this server or from the site. */
  offersMails: boolean;
  /** Undefined if this server sends no mails. */
  mails: Mails | undefined;
  /** The links that stop mails. Undefined without CHAT_URL. */
  mailStops: MailStops | undefined;
  /** The consumers of the change log that queue notifications and events. */
  consumers: readonly Consumer[];
  accepted: OnAccepted;
  /** Must be called when a connection gets a new ticket. */
  renewed(connection: Connection, ticket: string): void;
  loggedOut(connection: Connection): void;
  /** Stores the mail address that a session contains. Deletes it for banned users. */
  recordMailAddress(user: SessionUser): void;
  /** Retries the events without attempts left. @returns the number of these events */
  retryEvents(): Promise<number>;
  /** Starts to send. Call it after `Servers.join`, because users may be connected to other servers. */
  start(chat: Chat, servers: Servers | undefined): void;
  /** Stops sending, and waits for the mails, pushes and events in progress. */
  stop(): Promise<void>;
  /** Closes the connections to mail and push services, even while something is being sent. */
  close(): void;
}

export async function openNotifications(
  config: Config,
  { history, logins, metrics, log, quiet, health }: Telemetry & { history: History; logins: Logins },
): Promise<Notifications> {
  const failures = addChecks(health, config, history);
  const onFailure = ({ message: reason }: Error) =>
    quiet.warn('notify', { reason }, 'could not notify offline users');
  const onPushFailure = ({ message: reason }: Error) =>
    quiet.warn('pushes', { reason }, 'could not process pushes');
  const onQuiet = (message: string) => (until: number) =>
    quiet.info(message, { until: new Date(until).toISOString() }, message);
  let webhooks: Webhooks | undefined;
  let presence: { stop(): void } | undefined;
  let pushes: Pushes | undefined;

  const push = openPush(config, history, logins);
  const keys = push?.browsers?.keys;
  const mailStops =
    config.url === undefined
      ? undefined
      : new MailStops(history, config.url, (guest) => forgetAddress(history, guest));
  const mails = await openMails(config, {
    history,
    logins,
    mailStops,
    onFailure(reason, user) {
      failures.mails.failed(reason, user);
      quiet.warn('mails', { reason }, 'could not send a mail to an offline user');
    },
  });
  const addresses = mails && new SeenAddresses(history, onFailure);
  // Without a mail server, the site gets an event for each mail that it should send.
  const sendsEvents = mails === undefined && config.webhooks?.events.has('notify.due') === true;
  const offersMails = mails !== undefined || sendsEvents;
  const notifier =
    offersMails || config.push
      ? new Notifier({
          history,
          defaults: config.notify,
          events: sendsEvents,
          onEvent: () => webhooks?.wake(),
          onPushes: () => pushes?.wake(),
          mail: mails,
          mailTo: mails && ((user) => mails.addressOf(user)),
          pageUrl: config.pageUrl,
          // Only the site’s table or the site itself knows addresses of users who never connected.
          reachesNewMembers:
            config.notify.newMembers && (mails === undefined ? sendsEvents : logins.findMail !== undefined),
          stopLink: mailStops && ((user) => mailStops.link(user)),
          onMail(outcome) {
            // A mail server that rejects a recipient works.
            if (outcome === 'sent' || outcome === 'refused') failures.mails.worked();
            metrics.mails.inc({ outcome });
          },
          onQuiet: onQuiet('a mail waits for the end of quiet hours'),
          onFailure,
        })
      : undefined;
  if (notifier !== undefined && offersMails)
    health.add({ works: () => true, describe: () => describeWaiting(notifier) });
  const events = config.webhooks && webhookEvents(config.webhooks.events, () => webhooks?.wake());

  return {
    notifier,
    devices: push?.registry,
    pushKey: keys && (async () => (await keys.current()).public),
    offersMails,
    mails,
    mailStops,
    consumers: [...(events ? [events] : []), ...(notifier ? [notifier.consumer] : [])],
    accepted: (connection, by) => push?.registry.accepted(connection, by),
    renewed: (connection, ticket) => push?.registry.renewed(connection, ticket),
    loggedOut(connection) {
      push?.registry.loggedOut(connection).catch(onPushFailure);
    },
    recordMailAddress({ id, mail, banned }) {
      if (banned) addresses?.forget(id);
      else if (mail !== undefined) addresses?.note(id, mail);
    },
    async retryEvents() {
      const { events } = await history.write.retryEvents({ at: Date.now() });
      webhooks?.wake();
      return events;
    },
    start({ directory }, servers) {
      webhooks =
        config.webhooks &&
        new Webhooks({
          ...config.webhooks,
          history,
          messageOf: (message) => directory.messageOf(message),
          dueOf: async (event) => (await notifier?.dueOf(event)) ?? null,
          onTry({ type }, outcome) {
            if (outcome === 'sent') failures.webhooks.worked();
            metrics.webhooks.inc({ type, outcome });
          },
          onFailure(reason) {
            failures.webhooks.failed(reason);
            quiet.warn('webhooks', { reason }, 'could not deliver an event to the site');
          },
          onHistoryFailure: (reason) =>
            quiet.warn('webhooks history', { reason }, 'could not process events for the site'),
          onDropped(events) {
            metrics.webhooksDropped.inc(events);
            log.error({ events }, 'too many undelivered events, some deleted');
          },
          onGone: () =>
            log.error('the site responded with status 410, sending no events until the next start'),
        });
      presence =
        webhooks &&
        watchPresence(config.webhooks?.events ?? new Set(), webhooks, () => ({
          own: {
            name: servers?.own.name ?? '',
            users: [...directory.everybody()].map(({ user }) => user.id),
          },
          others: servers?.states().filter(({ working }) => working) ?? [],
        }));
      notifier?.open(directory);
      pushes =
        push &&
        new Pushes({
          ...push,
          history,
          directory,
          defaults: config.notify,
          onPush(outcome) {
            if (outcome === 'sent') failures.pushes.worked();
            metrics.pushes.inc({ outcome });
          },
          onRefusal(reason, user) {
            failures.pushes.failed(reason, user);
            quiet.warn(`push ${reason}`, { reason }, 'could not deliver a push');
          },
          onQuiet: onQuiet('a push waits for the end of quiet hours'),
          onFailure: onPushFailure,
        });
    },
    async stop() {
      presence?.stop();
      await Promise.all([webhooks?.stop(), notifier?.close(), pushes?.stop()]);
    },
    close() {
      mails?.close();
      push?.browsers?.services.close();
      push?.apps?.close();
    },
  };
}

/** Adds the checks of mails, events and pushes. Returns where their failures must be recorded. */
function addChecks(
  health: Health,
  { mail, webhooks, push }: Config,
  history: History,
): Record<Kind, Failures> {
  const failures = { mails: new Failures(), webhooks: new Failures(), pushes: new Failures() };
  if (mail !== undefined) {
    const text = `The last mail could not be sent through ${mailPlaceOf(mail.server)}`;
    const advice = 'Correct CHAT_MAIL or the mail server.';
    const further = 'Mails wait, and are retried for a day. See docs/operate/mail.md.';
    health.add({
      works: () => failures.mails.isOver,
      describe(works) {
        if (!works) return problem(`${text}: ${failures.mails}.`, `${advice} ${further}`);
        if (!failures.mails.hasFailed) return undefined;
        // The owner may be the first user who gets a mail.
        return warning(
          `${text}, perhaps because of its recipient: ${failures.mails}.`,
          `If no mail arrives: ${advice} ${further}`,
        );
      },
    });
  }
  if (webhooks) {
    const url = `${webhooks.url.origin}${webhooks.url.pathname}`;
    health.add({
      works: () => failures.webhooks.isOver,
      async describe(works) {
        // A failing history has its own check.
        const events = await history.read.events({ limit: maxListedEvents }).catch(() => undefined);
        if (!works)
          return problem(
            `The site does not accept events at ${url}: ${failures.webhooks}. Waiting events: ${events?.waiting ?? 'unknown'}.`,
            `${lacksPluginKey(webhooks.url, failures.webhooks) ? 'Set PHP_SESSION_CHAT_WEBHOOK_KEY in wp-config.php to the content of CHAT_WEBHOOK_KEY_FILE, and activate the plugin. See docs/sites/wordpress.md.' : 'Correct the site, or CHAT_WEBHOOK_URL.'} Events are retried for 75 hours. See docs/api.md#events-for-your-site.`,
          );
        const lost = events?.failed.length ?? 0;
        if (lost === 0) return undefined;
        return warning(
          `The site did not accept events at ${url} in any attempt, and they are not retried any more: ${lost === maxListedEvents ? `${lost} or more` : lost}.`,
          'Correct the site, then send them again by POST /api/webhooks/retry. See docs/api.md#events-for-your-site.',
        );
      },
    });
  }
  if (push)
    health.add({
      works: () => failures.pushes.isOver,
      describe: (works) =>
        works
          ? undefined
          : problem(
              `The last pushes could not be delivered: ${failures.pushes}.`,
              'See "could not deliver a push" in docs/operate/log.md for the reason.',
            ),
    });
  return failures;
}

/** Whether WordPress does not know the address of its plugin, which exists only with a key. */
const lacksPluginKey = (url: URL, failures: Failures) =>
  /php-session-chat(\/|%2F)v1(\/|%2F)events/i.test(url.href) && String(failures).startsWith('status 404');

/** Describes the mails that wait, because a mail that is not due yet looks like a lost mail. */
async function describeWaiting(notifier: Notifier): Promise<Finding | undefined> {
  // The check of the history reports its failure.
  const waiting = await notifier.waiting().catch(() => undefined);
  if (waiting?.next === undefined) return undefined;
  const { users, next, pausedUntil } = waiting;
  if (pausedUntil !== undefined)
    return ok(
      `Mails to ${users} users wait until ${minuteOf(pausedUntil)}, because the mail server accepts none.`,
    );
  return ok(
    `${users === 1 ? 'One user has' : `${users} users have`} messages that may need a mail. The first is checked at ${minuteOf(next)}: mails wait for the user’s delay, and for the end of quiet hours.`,
  );
}

/** Opens the mails; undefined without a mail server or a public address. */
async function openMails(
  { mail, pageUrl, branding }: Config,
  {
    history,
    logins,
    mailStops,
    onFailure,
  }: {
    history: History;
    logins: Logins;
    mailStops: MailStops | undefined;
    onFailure: (reason: string, user?: string) => void;
  },
): Promise<Mails | undefined> {
  if (mail === undefined || pageUrl === undefined || mailStops === undefined) return undefined;
  // Loaded only when needed.
  const { Mails } = await import('../mail/mails.ts');
  return Mails.open({
    ...mail,
    replies: mail.replies && new ReplyTokens(history, mail.replies),
    branding,
    pageUrl,
    history,
    stops: mailStops,
    addressOf: logins.findMail?.bind(logins),
    onFailure,
  });
}

/** Opens the pushes; undefined if pushes are off. */
function openPush(
  { push, origins, branding, url }: Config,
  history: History,
  logins: Logins,
): ({ registry: DeviceRegistry } & Pick<PushesOptions, 'browsers' | 'apps' | 'site'>) | undefined {
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
  const icon = url && branding.logo && `${url}/${branding.logo.path}`;
  return { registry, browsers, apps, site: { name: branding.name, icon } };
}
