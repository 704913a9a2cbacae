import { type LoginSettings, type Logins, openLogins, type SiteAccounts, StoreError } from 'php-sessions';
import { ok, problem } from 'php-sessions/doctor';
import type { SiteAccounts as ShownAccounts } from '../chat/chat.ts';
import { type HoldSettings, nameToShow } from '../chat/moderation/hold-settings.ts';
import { reportStore, storeHint } from '../connections/store-at-start.ts';
import type { History } from '../history/history.ts';
import { FairTurns, WaitedTooLong } from '../limits/fair-queue.ts';
import { readInTurn } from '../limits/requester.ts';
import { Liveness } from '../liveness/liveness.ts';
import { FileAccess } from '../logins/file-access.ts';
import { Guests, withGuests } from '../logins/guests.ts';
import type { OwnLogins } from '../logins/own-logins.ts';
import { noSiteLogins, TicketLogins, withoutTickets, withTickets } from '../logins/ticket-logins.ts';
import { openVerifier } from '../logins/tickets.ts';
import type { Config } from '../settings/config.ts';
import type { Telemetry } from './telemetry.ts';

/** The logins of the site. */
export interface SiteLogins {
  logins: Logins;
  /** Checks the logins of open connections. */
  liveness: Liveness;
  /** Undefined if this server accepts no tickets. */
  tickets: TicketLogins | undefined;
  /** The logins that this server verifies itself. */
  own: readonly OwnLogins[];
  /** The accounts of the site as users see them. Undefined if the site has no known table of users. */
  accounts: ShownAccounts | undefined;
  /** Stops `liveness` and the report of a store that cannot be read. */
  stop(): void;
  /** Closes the logins. `stop` must be called before. */
  close(): void;
}

/**
 * Opens the logins of the site, even if the session store does not respond.
 * @throws ConfigurationError if the configuration of the site cannot be used
 */
export async function openSiteLogins(
  config: Config,
  hold: HoldSettings | undefined,
  telemetry: Telemetry,
): Promise<SiteLogins> {
  const { log, quiet, health } = telemetry;
  const siteLogins =
    'ticketsOnly' in config.logins ? noSiteLogins : await openLoginsOf(config.logins, telemetry);
  const tickets =
    config.tickets &&
    new TicketLogins(await openVerifier(config.tickets), new FileAccess(config.tickets.keys));
  const guests = config.guests && new Guests(config.guests);
  const logins = withGuests(
    tickets === undefined ? withoutTickets(siteLogins) : withTickets(siteLogins, tickets),
    guests,
  );
  const endReport = reportStore(logins, log);
  health.add({
    part: 'session store',
    works: () => logins.answers(),
    async describe(works) {
      if (works) return 'ticketsOnly' in config.logins ? undefined : ok('The server can read logins.');
      const fault = await logins.fault();
      return problem(
        `The server cannot read logins, so nobody can connect${fault === null ? '' : `: ${fault.message}`}.`,
        fault?.hint ?? storeHint,
      );
    },
  });
  const liveness = openLiveness(config, logins, telemetry);
  return {
    logins,
    liveness,
    tickets,
    own: [tickets, guests].filter((one) => one !== undefined),
    accounts: logins.accounts && shownAccounts(logins.accounts, hold, quiet),
    stop() {
      endReport();
      liveness.stop();
    },
    close: () => logins.close(),
  };
}

const openLoginsOf = (settings: LoginSettings, { log, metrics }: Telemetry): Promise<Logins> =>
  openLogins(settings, {
    onProblem(problem, isRefusing) {
      metrics.siteUnreadable.set(problem === null ? 0 : 1);
      if (problem === null) log.info('site configuration readable again');
      else
        log.error(
          { reason: problem.message },
          isRefusing
            ? 'changed site configuration not supported, rejecting all logins'
            : 'could not read the changed site configuration, keeping the previous one',
        );
    },
    onWarning: ({ reason, hint }) => log.warn({ reason, hint }, 'configuration problem found'),
  });

/** Loads the ticket logins that the site has ended. The change log adds later ones, from any server. */
export async function followEndedLogins(tickets: TicketLogins, history: History): Promise<void> {
  history.onChange((change) => {
    if (change.type === 'login_ended') tickets.end(change);
  });
  for (const login of await history.read.endedLogins(null)) tickets.end(login);
}

function openLiveness(config: Config, logins: Logins, { log, metrics, quiet }: Telemetry): Liveness {
  return new Liveness(logins, {
    interval: config.sessionCheck,
    grace: config.sessionGrace,
    keepalive: config.sessionKeepalive,
    onCheck: () => metrics.checks.inc(),
    onEnd: (reason) => metrics.ended.inc({ reason }),
    onUnconfirmed({ message: reason }) {
      metrics.closed.inc({ reason: 'session_store' });
      const message = 'session store not responding for CHAT_SESSION_GRACE, closing connections';
      quiet.warn('unconfirmed', { reason }, message);
    },
    onStore: (silent) => {
      if (silent === null) log.info('session store responding again');
      else
        log.error(
          { reason: silent.message },
          'session store not responding, keeping open connections for now',
        );
    },
    onUnreadable: ({ message: reason }) =>
      quiet.warn(`unreadable ${reason}`, { reason }, 'could not read a session with open connections'),
    onNotifications: (lost) => {
      if (lost === null) log.info('store notifications active');
      else log.warn({ reason: lost.message }, 'store notifications inactive, polling for ended sessions');
    },
    onKeepaliveFailure: ({ message: reason }) =>
      log.warn({ reason }, 'could not renew the session of an active user'),
  });
}

/** How long a search of the site's accounts may wait for others. Without them, the search finds fewer users. */
const maxSearchWaitMs = 4000;

/**
 * Returns the accounts with the names that users may see. If the table of users cannot be read, `search` finds no
 * accounts. A search may read the whole table, so only one runs at a time.
 */
export function shownAccounts(
  { names, search }: SiteAccounts,
  hold: HoldSettings | undefined,
  quiet: Pick<Telemetry['quiet'], 'warn'>,
): ShownAccounts {
  const turns = new FairTurns(1);
  return {
    names: async (ids) =>
      new Map([...(await names(ids))].map(([id, name]) => [id, nameToShow(hold, { id, name })])),
    async search(text, limit, account) {
      try {
        const found = await readInTurn(({ maxWaitMs = maxSearchWaitMs }) =>
          turns.run(account, () => search(text, limit), Math.min(maxSearchWaitMs, maxWaitMs)),
        );
        return found.map(({ id, name }) => ({ id, name: nameToShow(hold, { id, name }) }));
      } catch (error) {
        if (!(error instanceof StoreError || error instanceof WaitedTooLong)) throw error;
        quiet.warn('accounts', { reason: error.message }, 'could not search the users of the site');
        return [];
      }
    },
  };
}
