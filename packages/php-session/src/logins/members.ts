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
  refusalOf,
  unavailable,
} from '../login.ts';
import { parsePath } from '../path.ts';
import { openTable, parseStoreUrl } from '../store-url.ts';
import type { Accounts, Claim, MemberApplication, MemberSessions } from './application.ts';
import type { SessionLogins } from './changing-logins.ts';
import { asked } from './lookups.ts';
import { type PhpSession, phpSessions } from './php-sessions.ts';
import { closeDelayMs } from './reread.ts';
import type { OpenSite, SiteReader, SiteTables } from './site.ts';
import { accountsOf } from './site-accounts.ts';
import {
  type ClaimedLogins,
  claimedLogins,
  type Differing,
  mailOf,
  secondLookAfter,
  type TableLogin,
  watchNothing,
} from './tables.ts';

/** A login whose user is in a PHP session, and whose session counts by a row. */
export interface MemberLogin {
  session: Login<PhpSession>;
  row: Login<TableLogin>;
  /** Where it came from, by which a changed session is judged. */
  from: Credentials;
}

/** The logins of an application whose cookie is the id of a PHP session. Settings in its database may name its store. */
export function memberLogins(application: MemberApplication, reader: SiteReader): Logins<MemberLogin> {
  const rows = claimedLogins(application, reader);
  let known: { open: OpenSite; sessions: SessionLogins<PhpSession> } | undefined;

  function sessionsOf(open: OpenSite): SessionLogins<PhpSession> {
    if (known?.open !== open) {
      const before = known?.sessions;
      known = { open, sessions: openSessions(application.sessions(open.site), open) };
      if (before !== undefined) setTimeout(() => before.close(), closeDelayMs).unref();
    }
    return known.sessions;
  }

  return {
    ...mailOf(application, rows.open),
    accounts: accountsOf(application, reader.nobody, rows.open),
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
      return known?.sessions.lifetime;
    },
    reload: () => reader.reload(),
    fingerprint: (digest) => reader.fingerprint(digest),
    close() {
      known?.sessions.close();
      reader.close();
    },
  };
}

/**
 * The logins of an application with PHP sessions that may outlive the account of their user, and a new password.
 * @param hasMails whether its tables say where users are mailed
 */
export function accountLogins(
  accounts: Accounts,
  sessions: SessionLogins<PhpSession>,
  { application, reader }: SiteTables,
  hasMails: boolean,
): SessionLogins<MemberLogin> {
  const named = ({ user, state }: Login<PhpSession>): FoundUser => ({ user, proof: state.proof });
  const rows = claimedLogins(
    {
      kind: 'php',
      logins: application.logins,
      checkRow: (_, claim: Claim & FoundUser, row) => accounts.checkRow(row, claim),
    },
    reader,
  );
  return {
    ...(hasMails ? mailOf(application, rows.open) : {}),
    accounts: accountsOf(application, reader.nobody, rows.open),
    ...withRows({
      rows,
      sessions: () => sessions,
      checkCookies(session, { cookies, session: sent, at = Date.now() }) {
        const all = new RequestCookies(sent === undefined ? cookies : undefined);
        const value = (name: string) => all.value(name);
        const why = accounts.checkCookies?.(value, named(session), Math.floor(at / 1000)) ?? null;
        return why && all.explain(why);
      },
      claim(_, session) {
        const { user, state } = session;
        return { table: 'users', lookup: user.id, secrets: [state.id], ...named(session) };
      },
    }),
    binding: (credentials) => sessions.binding(credentials),
    watch(onNotifications) {
      const watch = sessions.watch(onNotifications);
      return {
        add({ state }, watcher) {
          const followed = watch.add(state.session, watcher);
          // A store that notifies of each change of the session says nothing of the row. Both are asked each time, which costs the
          // session server a question.
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

interface Members {
  rows: ClaimedLogins;
  /** @throws StoreError */
  sessions(): SessionLogins<PhpSession> | Promise<SessionLogins<PhpSession>>;
  /** Why the other cookies of a browser do not belong to its session, when it logs in. */
  checkCookies?(session: Login<PhpSession>, credentials: Credentials): NotLoggedIn | null;
  /** The names of other cookies that make a claim. */
  otherCookies?(site: unknown): readonly string[];
  /** The claim of a session that names somebody. */
  claim(site: unknown, session: Login<PhpSession>, from: Credentials): Claim | NotLoggedIn;
}

/** A login counts by its session and by the row of the user whom the session names. */
function withRows({
  rows,
  sessions: current,
  checkCookies = () => null,
  otherCookies = () => [],
  claim: claimOf,
}: Members): Pick<Logins<MemberLogin>, 'identify' | 'check' | 'ttl' | 'renew' | 'answers' | 'fault'> {
  /** The verdict on a session that names somebody. */
  async function judged(
    session: Login<PhpSession>,
    from: Credentials,
  ): Promise<CheckResult<{ login: Login<MemberLogin> }>> {
    const claim = claimOf((await rows.open()).site, session, from);
    if ('state' in claim) return claim;
    return asMember(await rows.look(claim), session, from);
  }

  async function identify(credentials: Credentials): Promise<Login<MemberLogin> | Refusal> {
    try {
      const session = await (await current()).identify(credentials);
      if ('code' in session) return session;
      const wrong = checkCookies(session, credentials);
      if (wrong !== null) return refusalOf(wrong);
      const { address, userAgent } = credentials;
      const cookies = selectCookies(credentials.cookies, otherCookies((await rows.open()).site));
      const found = await judged(session, { address, userAgent, cookies });
      return found.state === 'user' ? found.login : refusalOf(found);
    } catch (error) {
      return unavailable(error);
    }
  }

  /**
   * The verdict on a login whose session has changed.
   * @param changed that on the session
   * @param ofRow gives that on the row; null for one that has not changed
   */
  async function ofChanged(
    { state: { row, from } }: Login<MemberLogin>,
    changed: CheckResult<{ login: Login<PhpSession> }>,
    ofRow: () => Promise<CheckResult<{ login: Login<TableLogin> }> | null>,
  ): Promise<CheckResult<{ login: Login<MemberLogin> }>> {
    if (changed.state !== 'user') return changed;
    if (!(await hasSameClaim(row, changed.login, from))) return judged(changed.login, from);
    const found = (await ofRow()) ?? { state: 'user', login: row };
    return found.state === 'user' && found.login.state.site !== row.state.site
      ? judged(changed.login, from)
      : asMember(found, changed.login, from);
  }

  /**
   * The verdict on a login whose session is as it was.
   * @param found that on the row; null for one that has not changed
   */
  async function ofUnchanged(
    { state: { session, row, from } }: Login<MemberLogin>,
    found: CheckResult<{ login: Login<TableLogin> }> | null,
  ): Promise<CheckResult<{ login: Login<MemberLogin> }> | null> {
    if (found?.state === 'nobody' && session.state.proof.some((text) => text !== null)) {
      // Applications store a new password before the session of the device that has changed it.
      await pause(secondLookAfter);
      const later = await checkedAgain(session).catch(() => null);
      if (later) return later.state === 'user' ? judged(later.login, from) : later;
    }
    if (found?.state !== 'user' || found.login.state.site === row.state.site)
      return found && asMember(found, session, from);
    // Another setting may make another claim of the same session.
    const again = await checkedAgain((await current()).asUnchecked(session));
    return again?.state === 'user' ? judged(again.login, from) : (again ?? null);
  }

  const checkedAgain = async (session: Login<PhpSession>) =>
    (await (await current()).check([session])[0]) ?? null;

  /** Whether the row is judged by a changed session as it was: page views change sessions and seldom that. */
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
      const ofRows = rows.differing(logins.map(({ state }) => state.row));
      let known: Differing | undefined;
      // A session that has ended says so even if the database of the rows is silent: nobody may wait for any of them.
      ofRows.then(
        (verdictOn) => {
          known = verdictOn;
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
          const ofRow = known?.(row);
          // Nearly all checks end here, thousands in a second: few promises.
          if (changed === null && ofRow === null) return null;
          ofRow?.catch(() => {});
          const askRow = async () => (ofRow === undefined ? (await ofRows)(row) : ofRow);
          return changed === null
            ? askRow().then((found) => ofUnchanged(login, found))
            : ofChanged(login, changed, askRow);
        });
      });
    },
    async ttl({ state: { session } }) {
      const sessions = await current();
      const changed = await sessions.check([session])[0];
      // After a logout the session lives on without a user.
      return !changed || changed.state === 'user' ? sessions.ttl(session) : null;
    },
    renew: async ({ state }, seconds) => (await current()).renew(state.session, seconds),
    answers: asked(async () => (await fault()) === null),
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
