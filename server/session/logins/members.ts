import type { MemberApplication, MemberSessions } from '../application.ts';
import { sessionIdFrom } from '../cookie.ts';
import {
  type Credentials,
  type Login,
  type Logins,
  type Refusal,
  refusalOf,
  unavailable,
  type Verdict,
} from '../login.ts';
import { parsePath } from '../path.ts';
import type { OpenSite, SiteReader } from '../site.ts';
import { openTable, parseStoreUrl } from '../store-url.ts';
import { asked } from '../stores/lookups.ts';
import type { SessionLogins } from './changing-logins.ts';
import { type PhpSession, phpSessions } from './php-sessions.ts';
import { claimedLogins, type TableLogin, watchNothing } from './tables.ts';

/** A login whose user is in a PHP session, and whose session counts by a row. */
export interface MemberLogin {
  session: Login<PhpSession>;
  row: Login<TableLogin>;
  /** Where it came from, by which a changed session is judged. */
  from: Credentials;
}

/** Questions that are under way have so many milliseconds to end. */
const closeAfter = 2000;

/** The logins of an application whose users are in PHP sessions and in a table. */
export function memberLogins(application: MemberApplication, reader: SiteReader): Logins<MemberLogin> {
  let known: { open: OpenSite; sessions: SessionLogins<PhpSession> } | undefined;
  let named: { site: unknown; sessions: MemberSessions } | undefined;
  const rows = claimedLogins(application, reader);

  function sessionsOf(site: unknown): MemberSessions {
    if (named !== undefined && named.site === site) return named.sessions;
    const sessions = application.sessions(site);
    named = { site, sessions };
    return sessions;
  }

  /** @throws StoreError */
  async function current(): Promise<{ site: unknown; sessions: SessionLogins<PhpSession> }> {
    const open = await rows.open();
    if (known?.open !== open) {
      const before = known?.sessions;
      known = { open, sessions: openSessions(sessionsOf(open.site), open) };
      if (before !== undefined) setTimeout(() => before.close(), closeAfter).unref();
    }
    return { site: open.site, sessions: known.sessions };
  }

  /** The verdict on a session that names somebody. */
  async function judged(
    site: unknown,
    session: Login<PhpSession>,
    from: Credentials,
  ): Promise<Verdict<MemberLogin>> {
    const { id, proof = [] } = session.state;
    const claim = application.claim(site, { secrets: [id], proof }, from);
    if ('reason' in claim) return { state: 'nobody', ...claim };
    return asMember(await rows.look(claim), session, from);
  }

  async function identify(credentials: Credentials): Promise<Login<MemberLogin> | Refusal> {
    try {
      const { site, sessions } = await current();
      const session = await sessions.identify(credentials);
      if ('code' in session) return session;
      const { address, userAgent } = credentials;
      const found = await judged(site, session, { address, userAgent });
      return found.state === 'user' ? found.login : refusalOf(found);
    } catch (error) {
      return unavailable(error);
    }
  }

  /** @param ofRow the verdict on its row */
  async function check(
    { state: { session, row, from } }: Login<MemberLogin>,
    ofRow: Promise<Verdict<TableLogin> | null>,
  ): Promise<Verdict<MemberLogin> | null> {
    const [{ site, sessions }, found] = await Promise.all([current(), ofRow]);
    // Another setting may make another claim of the same session.
    const isSame = row.state.site === site || found === null || found.state !== 'user';
    const changed = (await sessions.check([isSame ? session : sessions.unjudged(session)])[0]) ?? null;
    if (changed === null) return found && asMember(found, session, from);
    return changed.state === 'user' ? judged(site, changed.login, from) : changed;
  }

  async function fault() {
    const ofRows = await rows.fault();
    return ofRows ?? (await current()).sessions.fault();
  }

  return {
    identify,
    check(logins) {
      const ofRows = rows.check(logins.map(({ state }) => state.row));
      return logins.map((login, n) => check(login, ofRows[n] as (typeof ofRows)[number]));
    },
    binding({ cookies }) {
      return reader.last === undefined ? null : sessionIdFrom(cookies, sessionsOf(reader.last.site).cookie);
    },
    watch: watchNothing,
    async ttl({ state: { session } }) {
      const { sessions } = await current();
      const changed = await sessions.check([session])[0];
      // After a logout the session lives on without a user.
      return !changed || changed.state === 'user' ? sessions.ttl(session) : null;
    },
    get lifetime() {
      return known?.sessions.lifetime;
    },
    renew: async ({ state }, seconds) => (await current()).sessions.renew(state.session, seconds),
    reload: () => reader.reload(),
    answers: asked(async () => (await fault()) === null),
    fault,
    close() {
      known?.sessions.close();
      reader.close();
    },
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
  const [id = [], ...others] = ids.map(parsePath);
  return phpSessions({
    source: { ...source, layers: [...source.layers, ...(layer === undefined ? [] : [layer])] },
    cookie,
    user: { id, others, name: id, proof: proof.map(parsePath) },
  });
}

function asMember(
  found: Verdict<TableLogin>,
  session: Login<PhpSession>,
  from: Credentials,
): Verdict<MemberLogin> {
  if (found.state !== 'user') return found;
  return { state: 'user', login: { ...found.login, state: { session, row: found.login, from } } };
}
