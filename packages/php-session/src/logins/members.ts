import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { RequestCookies, selectCookies } from '../cookie.ts';
import type { FoundUser } from '../identity.ts';
import {
  type CheckResult,
  type Credentials,
  type Login,
  type Logins,
  type NotLoggedIn,
  type Refusal,
  toRefusal,
  toUnavailable,
} from '../login.ts';
import { parsePath } from '../path.ts';
import { openTable, parseStoreUrl } from '../store-url.ts';
import type { Accounts, MemberApplication, MemberSessions } from './application.ts';
import type { SessionLogins } from './changing-logins.ts';
import type { Claim } from './claim.ts';
import { throttleProbe } from './lookups.ts';
import { type PhpSession, phpSessions } from './php-sessions.ts';
import { closeDelayMs } from './reread.ts';
import type { OpenSite, SiteReader, SiteTables } from './site.ts';
import { openAccounts } from './site-accounts.ts';
import {
  type ClaimedLogins,
  claimedLogins,
  findMail,
  type Recheck,
  retryDelayMs,
  type TableLogin,
  watchNothing,
} from './tables.ts';

/** The state of a login that needs both a PHP session and a row. */
interface MemberLogin {
  session: Login<PhpSession>;
  row: Login<TableLogin>;
  /** The parts of the request that the check of a changed session needs. */
  from: Credentials;
}

/** Opens the logins of a `MemberApplication`. Settings in its database affect its sessions, such as their lifetime. */
export function memberLogins(application: MemberApplication, reader: SiteReader): Logins<MemberLogin> {
  const rows = claimedLogins(application, reader);
  let cached: { open: OpenSite; sessions: SessionLogins<PhpSession> } | undefined;

  function sessionsOf(open: OpenSite): SessionLogins<PhpSession> {
    if (cached?.open !== open) {
      const before = cached?.sessions;
      cached = { open, sessions: openSessions(application.sessions(open.site), open) };
      if (before !== undefined) setTimeout(() => before.close(), closeDelayMs).unref();
    }
    return cached.sessions;
  }

  return {
    ...findMail(application, rows.open),
    accounts: openAccounts(application, reader.nobody, rows.open),
    ...withRows({
      rows,
      sessions: async () => sessionsOf(await rows.open()),
      otherCookies: (site) => application.sessions(site).otherCookies ?? [],
      claim: (site, { state: { id, proof } }, from) => {
        const cookies = new RequestCookies(from.cookies);
        const claim = application.claim(site, { secrets: [id], proof }, { ...from, cookies });
        return 'state' in claim ? cookies.explain(claim) : claim;
      },
    }),
    binding: (credentials) => (reader.last ? sessionsOf(reader.last).binding(credentials) : null),
    watch: watchNothing,
    get lifetime() {
      return cached?.sessions.lifetime;
    },
    reload: () => reader.reload(),
    fingerprint: (digest) => reader.fingerprint(digest),
    close() {
      cached?.sessions.close();
      reader.close();
    },
  };
}

/**
 * Opens the logins of a `SessionApplication` with `Accounts`. A session may outlive its account or the user's password.
 * @param hasMails whether mail addresses are read from the tables
 */
export function accountLogins(
  accounts: Accounts,
  sessions: SessionLogins<PhpSession>,
  { application, reader }: SiteTables,
  hasMails: boolean,
): SessionLogins<MemberLogin> {
  const toFoundUser = ({ user, state }: Login<PhpSession>): FoundUser => ({ user, proof: state.proof });
  const rows = claimedLogins(
    {
      kind: 'php',
      logins: application.logins,
      checkRow: (_, claim: Claim & FoundUser, row) => accounts.checkRow(row, claim),
    },
    reader,
  );
  return {
    ...(hasMails ? findMail(application, rows.open) : {}),
    accounts: openAccounts(application, reader.nobody, rows.open),
    ...withRows({
      rows,
      sessions: () => sessions,
      checkCookies(session, { cookies, session: sent, at = Date.now() }) {
        const all = new RequestCookies(sent === undefined ? cookies : undefined);
        const value = (name: string) => all.value(name);
        const why = accounts.checkCookies?.(value, toFoundUser(session), Math.floor(at / 1000)) ?? null;
        return why && all.explain(why);
      },
      claim(_, session) {
        const { user, state } = session;
        return { table: 'users', lookup: user.id, secrets: [state.id], ...toFoundUser(session) };
      },
    }),
    binding: (credentials) => sessions.binding(credentials),
    watch(onNotifications) {
      const watch = sessions.watch(onNotifications);
      return {
        add({ state }, watcher) {
          const followed = watch.add(state.session, watcher);
          // The store does not notify of changes of the row, so both are checked each time.
          return { since: undefined, end: () => followed.end() };
        },
        end: () => watch.end(),
      };
    },
    lifetime: sessions.lifetime,
    reload: () => reader.reload(),
    asUnchecked: (login) => ({
      ...login,
      state: { ...login.state, session: sessions.asUnchecked(login.state.session) },
    }),
    close() {
      sessions.close();
      reader.close();
    },
  };
}

interface MemberParts {
  rows: ClaimedLogins;
  /** Returns the sessions by the current settings. @throws StoreError */
  sessions(): SessionLogins<PhpSession> | Promise<SessionLogins<PhpSession>>;
  /** See `Accounts`. */
  checkCookies?(session: Login<PhpSession>, credentials: Credentials): NotLoggedIn | null;
  /** See `MemberSessions`. */
  otherCookies?(site: unknown): readonly string[];
  claim(site: unknown, session: Login<PhpSession>, from: Credentials): Claim | NotLoggedIn;
}

/** Checks the session, and the row of the session's user. */
function withRows({
  rows,
  sessions: current,
  checkCookies = () => null,
  otherCookies = () => [],
  claim: claimOf,
}: MemberParts): Pick<Logins<MemberLogin>, 'identify' | 'check' | 'ttl' | 'renew' | 'answers' | 'fault'> {
  async function checkSession(
    session: Login<PhpSession>,
    from: Credentials,
  ): Promise<CheckResult<{ login: Login<MemberLogin> }>> {
    const claim = claimOf((await rows.open()).site, session, from);
    if ('state' in claim) return claim;
    return asMember(await rows.checkClaim(claim), session, from);
  }

  async function identify(credentials: Credentials): Promise<Login<MemberLogin> | Refusal> {
    try {
      const session = await (await current()).identify(credentials);
      if ('code' in session) return session;
      const wrong = checkCookies(session, credentials);
      if (wrong !== null) return toRefusal(wrong);
      const { address, userAgent } = credentials;
      const cookies = selectCookies(credentials.cookies, otherCookies((await rows.open()).site));
      const found = await checkSession(session, { address, userAgent, cookies });
      return found.state === 'user' ? found.login : toRefusal(found);
    } catch (error) {
      return toUnavailable(error);
    }
  }

  /**
   * Checks a login whose session has changed.
   * @param changed the result for the session
   * @param checkRow returns null if the row is unchanged
   */
  async function checkChanged(
    { state: { row, from } }: Login<MemberLogin>,
    changed: CheckResult<{ login: Login<PhpSession> }>,
    checkRow: () => Promise<CheckResult<{ login: Login<TableLogin> }> | null>,
  ): Promise<CheckResult<{ login: Login<MemberLogin> }>> {
    if (changed.state !== 'user') return changed;
    if (!(await hasSameClaim(row, changed.login, from))) return checkSession(changed.login, from);
    const found = (await checkRow()) ?? { state: 'user', login: row };
    return found.state === 'user' && found.login.state.site !== row.state.site
      ? checkSession(changed.login, from)
      : asMember(found, changed.login, from);
  }

  /**
   * Checks a login whose session is unchanged.
   * @param found the result for the row. Null if it is unchanged.
   */
  async function checkUnchanged(
    { state: { session, row, from } }: Login<MemberLogin>,
    found: CheckResult<{ login: Login<TableLogin> }> | null,
  ): Promise<CheckResult<{ login: Login<MemberLogin> }> | null> {
    if (found?.state === 'nobody' && session.state.proof.some((text) => text !== null)) {
      // When a user changes the password, applications store it before the session, which still has the former hash.
      await pause(retryDelayMs);
      const later = await recheck(session).catch(() => null);
      if (later) return later.state === 'user' ? checkSession(later.login, from) : later;
    }
    if (found?.state !== 'user' || found.login.state.site === row.state.site)
      return found && asMember(found, session, from);
    // Changed settings may make another claim of the same session.
    const again = await recheck((await current()).asUnchecked(session));
    return again?.state === 'user' ? checkSession(again.login, from) : (again ?? null);
  }

  const recheck = async (session: Login<PhpSession>) => (await (await current()).check([session])[0]) ?? null;

  /** Whether a changed session makes the same claim, as after most page views. */
  async function hasSameClaim(
    { state }: Login<TableLogin>,
    session: Login<PhpSession>,
    from: Credentials,
  ): Promise<boolean> {
    const { site } = await rows.open();
    return site === state.site && isDeepStrictEqual(claimOf(site, session, from), state.claim);
  }

  const fault = async () => (await rows.fault()) ?? (await current()).fault();

  return {
    identify,
    check(logins) {
      const ofRows = rows.compare(logins.map(({ state }) => state.row));
      let differing: Recheck | undefined;
      // An ended session is reported even if the database of the rows does not answer, so do not wait for the rows.
      ofRows.then(
        (result) => {
          differing = result;
        },
        () => {},
      );
      const sessions = current();
      const states = logins.map(({ state }) => state.session);
      const ofSessions =
        sessions instanceof Promise
          ? sessions.then((opened) => opened.check(states))
          : sessions.check(states);
      if (ofSessions instanceof Promise) ofSessions.catch(() => {});
      return logins.map((login, n) => {
        const ofSession =
          ofSessions instanceof Promise ? ofSessions.then((all) => all[n] ?? null) : ofSessions[n];
        return (ofSession as Promise<CheckResult<{ login: Login<PhpSession> }> | null>).then((changed) => {
          const { row } = login.state;
          const ofRow = differing?.(row);
          // Nearly all checks end here, thousands per second, so they use few promises.
          if (changed === null && ofRow === null) return null;
          ofRow?.catch(() => {});
          const checkRow = async () => (ofRow === undefined ? (await ofRows)(row) : ofRow);
          return changed === null
            ? checkRow().then((found) => checkUnchanged(login, found))
            : checkChanged(login, changed, checkRow);
        });
      });
    },
    async ttl({ state: { session } }) {
      const sessions = await current();
      const changed = await sessions.check([session])[0];
      // After a logout the session may remain without a user.
      return !changed || changed.state === 'user' ? sessions.ttl(session) : null;
    },
    renew: async ({ state }, ttlSeconds) => (await current()).renew(state.session, ttlSeconds),
    answers: throttleProbe(async () => (await fault()) === null),
    fault,
  };
}

function openSessions(
  { cookie, store, layer, ids, proof }: MemberSessions,
  { driver, database, views }: OpenSite,
): SessionLogins<PhpSession> {
  const source =
    typeof store === 'string'
      ? parseStoreUrl(store)
      : openTable(driver, database, `table=${views ? store.view : store.table}&${store.options}`);
  const [id = [], ...otherIds] = ids.map(parsePath);
  return phpSessions({
    source: { ...source, layers: [...source.layers, ...(layer === undefined ? [] : [layer])] },
    cookie,
    user: { id, otherIds, name: id, proof: proof.map(parsePath) },
  });
}

function asMember(
  found: CheckResult<{ login: Login<TableLogin> }>,
  session: Login<PhpSession>,
  from: Credentials,
): CheckResult<{ login: Login<MemberLogin> }> {
  if (found.state !== 'user') return found;
  return { state: 'user', login: { ...found.login, state: { session, row: found.login, from } } };
}
