import type { Accounts } from '../application.ts';
import { ConfigurationError } from '../configuration/configuration.ts';
import { cookieValue } from '../cookie.ts';
import {
  type Login,
  type Logins,
  type Refusal,
  refusalOf,
  StoreError,
  unavailable,
  type Verdict,
} from '../login.ts';
import { inWordsOfSite, located } from '../site.ts';
import { asked } from '../stores/lookups.ts';
import type { SessionLogins } from './changing-logins.ts';
import type { PhpSession } from './php-sessions.ts';
import { type Questions, questions } from './tables.ts';

/** A login by a PHP session whose user has a row in a table of the site. */
export interface AccountLogin {
  session: Login<PhpSession>;
  /** Of the row; null if there was none. */
  digest: string | null;
}

interface Users {
  table: Questions;
  /** Any question about the table: the database answers it or fails. */
  ask(): Promise<unknown>;
  close(): void;
}

/**
 * The logins of a site with PHP sessions, of which more counts than the session: it may outlive the account of its user,
 * and a new password.
 * @param title the name of the application
 */
export function accountLogins(
  title: string,
  accounts: Accounts,
  sessions: SessionLogins<PhpSession>,
): SessionLogins<AccountLogin> {
  let opening: Promise<Users> | undefined;

  /** @throws StoreError */
  function users(): Promise<Users> {
    opening ??= opened(title, accounts).catch((error: unknown) => {
      // The next question tries again.
      opening = undefined;
      if (error instanceof ConfigurationError) throw new StoreError(error.message, { cause: error });
      throw error;
    });
    return opening;
  }

  async function judged(session: Login<PhpSession>): Promise<Verdict<AccountLogin>> {
    const { table } = await users();
    const found = await table.row(session.user.id);
    const { user, state } = session;
    const verdict = accounts.judge(found?.row ?? null, { user, proof: state.proof ?? [] });
    if ('reason' in verdict) return { state: 'nobody', ...verdict };
    return {
      state: 'user',
      login: { ...session, user: verdict.user, state: { session, digest: found?.digest ?? null } },
    };
  }

  async function identify(
    credentials: Parameters<Logins['identify']>[0],
  ): Promise<Login<AccountLogin> | Refusal> {
    const session = await sessions.identify(credentials);
    if ('code' in session) return session;
    const value = (name: string) =>
      credentials.session === undefined ? cookieValue(credentials.cookies, name) : null;
    const named = { user: session.user, proof: session.state.proof ?? [] };
    const wrong = accounts.refuses?.(value, named, Math.floor(Date.now() / 1000)) ?? null;
    if (wrong !== null) return { code: 'unauthorized', ...wrong };
    try {
      const verdict = await judged(session);
      return verdict.state === 'user' ? verdict.login : refusalOf(verdict);
    } catch (error) {
      return unavailable(error);
    }
  }

  /** @param verdict on the session */
  async function check(
    { state: { session, digest } }: Login<AccountLogin>,
    verdict: Promise<Verdict<PhpSession> | null>,
  ): Promise<Verdict<AccountLogin> | null> {
    const now = await verdict;
    if (now !== null) return now.state === 'user' ? judged(now.login) : now;
    const { table } = await users();
    return (await table.digest(session.user.id)) === digest ? null : judged(session);
  }

  async function fault(): Promise<StoreError | null> {
    try {
      await (await users()).ask();
      return null;
    } catch (error) {
      if (error instanceof StoreError) return error;
      throw error;
    }
  }

  return {
    identify,
    check(logins) {
      const verdicts = sessions.check(logins.map(({ state }) => state.session));
      return logins.map((login, n) => check(login, verdicts[n] as (typeof verdicts)[number]));
    },
    binding: (credentials) => sessions.binding(credentials),
    watch(onNotifications) {
      const watch = sessions.watch(onNotifications);
      return { add: ({ state }, watcher) => watch.add(state.session, watcher), end: () => watch.end() };
    },
    ttl: ({ state }) => sessions.ttl(state.session),
    lifetime: sessions.lifetime,
    unjudged: (login) => ({
      ...login,
      state: { session: sessions.unjudged(login.state.session), digest: null },
    }),
    renew: ({ state }, seconds) => sessions.renew(state.session, seconds),
    answers: asked(async () => (await sessions.answers()) && (await fault()) === null),
    fault: async () => (await sessions.fault()) ?? fault(),
    close() {
      sessions.close();
      void opening?.then((its) => its.close()).catch(() => {});
    },
  };
}

async function opened(title: string, { database: own, users }: Accounts): Promise<Users> {
  const { driver, open } = await located({ title }, own);
  const database = inWordsOfSite(open());
  const table = users(driver);
  const charset = own.charset === 'latin1' ? 'latin1' : 'utf8';
  // Whatever type the ids have: no row is read.
  const nothing = `SELECT 'any', NULL, NULL FROM (${table.select}) AS ${table.view} WHERE 1 = 0 AND 'any'`;
  return {
    table: questions(table, { driver, database, charset, views: false }),
    ask: () => database.rows(nothing, ['any']),
    close: () => database.close(),
  };
}
