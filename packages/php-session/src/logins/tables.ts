import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../configuration/configuration.ts';
import { RequestCookies } from '../cookie.ts';
import { mergeRoles } from '../identity.ts';
import {
  type CheckResult,
  type Credentials,
  handleOf,
  type Login,
  type Logins,
  type Refusal,
  refusalOf,
  type SessionUser,
  StoreError,
  unavailable,
} from '../login.ts';
import { option } from '../names.ts';
import { batchLookups } from '../stores/lookups.ts';
import {
  type Application,
  type Claim,
  keyChanged,
  type LoginTable,
  type NamedRoles,
  notLoggedIn,
  type Row,
  type SiteTable,
} from './application.ts';
import { asked, together } from './lookups.ts';
import { type ChangedPart, type Changes, type Parts, partsOf } from './parts.ts';
import { forColumn, type KeptRow, packedRows, rowKeeper, unpacked } from './rows.ts';
import type { OpenSite, SiteReader } from './site.ts';
import { accountsOf } from './site-accounts.ts';
import type { SiteSql } from './sql.ts';
import { isOnlyViewed, versionsOf } from './versions.ts';

/** Milliseconds for which the times of the tables are used again: for the checks of a moment. */
const timesFor = 250;
/** Milliseconds until a login that is missing is looked for again: the page may not have written it yet. */
export const secondLookAfter = 250;
/** A login in a table. */
export interface TableLogin extends Look {
  claim: Claim;
  /** The primary key of the row. */
  id: string;
  /** The settings that it was judged by: with others it is judged again. */
  site: unknown;
  /** As in `RowUser`. */
  idle: number | undefined;
  memo: string | undefined;
}

/** A row as it was judged. */
interface Look {
  /** A digest of all that is judged of it. */
  digest: string;
  /** These are compared in place of the digest. */
  parts: Parts | undefined;
  /** Its columns, if the digest is a version of its rows: see `VersionsOfTable.viewed`. */
  kept: KeptRow | undefined;
}

function withNamedRoles(user: SessionUser, { admins, moderators }: NamedRoles): SessionUser {
  const { id, roles: given } = user;
  const roles = mergeRoles(given, {
    admin: admins?.includes(id) === true,
    moderator: moderators?.includes(id) === true,
  });
  return roles.length === (given?.length ?? 0) ? user : { ...user, roles };
}

/** A row to be judged. */
interface Found extends Look {
  row: Row;
}

/** The parts of a login that are known to differ, or a version that `isOnlyViewed`. Without any it is read whole. */
type Change = readonly ChangedPart[] | string;

/** The questions about one state of the settings. */
interface Tables {
  open: OpenSite;
  site: unknown;
  /** Whether claims of this name have a table, by the settings as they are now. */
  has(name: string): boolean;
  /** @param name that a claim has for it @throws Error if there is none */
  table(name: string): Questions;
  /** To be asked before the rows, which alone say it where this fails. */
  changes(): Promise<Changes>;
  /** Any question: the database answers it or fails. */
  ask(): Promise<unknown>;
}

/** The questions about one table. */
interface Questions {
  /** By the column of the claims. */
  find(lookup: string): Promise<({ id: string } & Found) | null>;
  /** Reads no row: the database answers it or fails. */
  ask(): Promise<unknown>;
  /** By the primary key. */
  exists(id: string): Promise<boolean>;
  /** The logins that are not as they were when they were judged by these settings. */
  changed(logins: readonly TableLogin[], changes: Changes): Promise<(readonly [TableLogin, Change])[]>;
  /** The row of a login, as it is now. */
  again(before: TableLogin, change: Change): Promise<Found | null>;
  /** @throws StoreError if the row may not be changed */
  renew?(id: string): Promise<void>;
  /** Seconds, if it can be renewed. */
  lifetime?: number;
}

/** The logins in rows that claims name. */
export interface ClaimedLogins extends Pick<Logins<TableLogin>, 'ttl' | 'renew'> {
  /** The site that claims are made and judged by. @throws StoreError */
  open(): Promise<OpenSite>;
  /** The verdict on a claim, or on the next one that finds a user. @param memo of the judgement before @throws StoreError */
  look(claim: Claim, memo?: string): Promise<CheckResult<{ login: Login<TableLogin> }>>;
  /** As `Logins.check`. */
  check(logins: readonly Login<TableLogin>[]): Promise<CheckResult<{ login: Login<TableLogin> }> | null>[];
  /** The same for all of them at once. */
  differing(logins: readonly Login<TableLogin>[]): Promise<Differing>;
  fault(): Promise<StoreError | null>;
}

/** The verdict on a login that may have changed; null for one that has not. */
export type Differing = (
  login: Login<TableLogin>,
) => Promise<CheckResult<{ login: Login<TableLogin> }>> | null;

/** Judges claims, whatever they are made of, by the tables of an application. */
export function claimedLogins(
  application: Pick<Application, 'kind' | 'keys' | 'logins' | 'checkRow'>,
  reader: SiteReader,
): ClaimedLogins {
  let known: { open: OpenSite; tables: Tables } | undefined;

  /** @throws StoreError */
  async function tables(): Promise<Tables> {
    const open = await reader.open().catch((error: unknown) => {
      // Of a configuration that has changed since the start.
      if (error instanceof ConfigurationError) throw new StoreError(error.message, { cause: error });
      throw error;
    });
    if (known?.open !== open) known = { open, tables: tablesOf(application, open) };
    return known.tables;
  }

  function verdict(
    site: unknown,
    claim: Claim,
    found: ({ id: string } & Found) | null,
    before?: string,
  ): CheckResult<{ login: Login<TableLogin> }> {
    const now = Math.floor(Date.now() / 1000);
    const judged = application.checkRow(site, claim, found?.row ?? null, now, before);
    if (judged.state !== 'user') return judged;
    if (found === null) throw new Error(`${application.kind} finds a user in no row`);
    const { ends, idle, memo, mayBeOver } = judged;
    const user = withNamedRoles(judged.user, reader.named);
    if (reader.nobody.includes(user.id))
      return { ...notLoggedIn(`this user is nobody, by ${option('userNobody')}`), isFinal: true };
    const { id, digest, parts, kept } = found;
    return {
      state: 'user',
      login: {
        handle: handleOf(application.kind, user.id, claim.secrets),
        user,
        state: { claim, id, digest, parts, kept, site, idle, memo },
        ...(ends === undefined ? {} : { ends }),
        ...(mayBeOver && { mayBeOver }),
      },
    };
  }

  async function look(claim: Claim, memo?: string): Promise<CheckResult<{ login: Login<TableLogin> }>> {
    const { site, table } = await tables();
    const found = verdict(site, claim, await table(claim.table).find(claim.lookup), memo);
    return found.state !== 'nobody' || found.isFinal || claim.fallback === undefined
      ? found
      : look(claim.fallback, memo);
  }

  /** The logins that have to be judged again. */
  async function changed(logins: readonly Login<TableLogin>[]): Promise<ReadonlyMap<TableLogin, Change>> {
    const now = await tables();
    const all = new Map<TableLogin, Change>();
    const byTable = new Map<string, TableLogin[]>();
    for (const { state } of logins) {
      const isDue = state.idle !== undefined && Date.now() >= state.idle * 1000;
      if (now.site !== state.site || isDue) {
        all.set(state, []);
        continue;
      }
      const others = byTable.get(state.claim.table);
      if (others === undefined) byTable.set(state.claim.table, [state]);
      else others.push(state);
    }
    if (byTable.size === 0) return all;
    const changes = await now.changes();
    const found = [...byTable].map(([name, states]) => now.table(name).changed(states, changes));
    for (const each of await Promise.all(found)) for (const [state, change] of each) all.set(state, change);
    return all;
  }

  async function differing(logins: readonly Login<TableLogin>[]): Promise<Differing> {
    const found = await changed(logins);
    return (login) => {
      const change = found.get(login.state);
      // Most checks end here.
      return change === undefined ? null : judgedAgain(login, change);
    };
  }

  function check(
    logins: readonly Login<TableLogin>[],
  ): Promise<CheckResult<{ login: Login<TableLogin> }> | null>[] {
    const judging = differing(logins);
    // Nobody may wait for it.
    judging.catch(() => {});
    return logins.map((login) => judging.then((verdictOn) => verdictOn(login)));
  }

  async function judgedAgain(
    { handle, user, state }: Login<TableLogin>,
    change: Change,
  ): Promise<CheckResult<{ login: Login<TableLogin> }>> {
    const { claim, id, memo } = state;
    const now = await tables();
    if (
      now.site !== state.site &&
      !isDeepStrictEqual(application.keys?.(now.site), application.keys?.(state.site))
    )
      return keyChanged;
    if (!now.has(claim.table))
      return notLoggedIn('by its settings, the site keeps its logins in other tables now');
    // By other settings it may have other columns.
    const at = await now.table(claim.table).again(state, now.site === state.site ? change : []);
    const found = verdict(now.site, claim, at && { id, ...at }, memo);
    if (found.state !== 'nobody' || found.isFinal || claim.fallback === undefined) return found;
    let other = await look(claim.fallback, memo);
    if (at === null && other.state === 'nobody') {
      // The application may be about to write another row.
      await pause(secondLookAfter);
      other = await look(claim, memo);
    }
    // The connection goes on as what it was.
    return other.state === 'user' && other.login.user.id === user.id
      ? { state: 'user', login: { ...other.login, handle } }
      : other;
  }

  return {
    open: async () => (await tables()).open,
    look,
    check,
    differing,
    async ttl({ state: { claim, id, idle } }) {
      // Otherwise the end is known in advance, see `ends`, or there is none.
      if (idle === undefined) return null;
      const left = Math.max(0, idle * 1000 - Date.now());
      if (left === 0) return 0;
      const { lifetime, exists } = (await tables()).table(claim.table);
      return lifetime !== undefined && (await exists(id)) ? left : null;
    },
    async renew({ state: { claim, id } }) {
      await (await tables()).table(claim.table).renew?.(id);
    },
    async fault() {
      try {
        await (await tables()).ask();
        return null;
      } catch (error) {
        if (error instanceof StoreError) return error;
        throw error;
      }
    },
  };
}

/** As `Logins.mailOf`. @param open as in `ClaimedLogins` */
export function mailOf<Site>(
  { mails }: { mails?(site: Site, sql: SiteSql): SiteTable },
  open: () => Promise<OpenSite>,
): Pick<Logins, 'mailOf'> {
  if (mails === undefined) return {};
  return {
    async mailOf(user) {
      const { site, driver, database, charset, views } = await open();
      const { packed, from } = packedRows(driver, mails(site as Site, driver), { charset, views });
      const id = `${driver.quote}id${driver.quote}`;
      const rows = await database.rows(
        `SELECT ${driver.asText(id)}, ${packed}, NULL FROM ${from} WHERE ${id}`,
        [user],
      );
      // MySQL also finds the number 7 by the text 7abc.
      const row = rows.find((one) => one.id === user);
      return row?.data ? unpacked(row.data, ['mail']).mail?.toString('utf8') || null : null;
    },
  };
}

/** The logins of an application that keeps them in tables of its own. */
export function tableLogins(application: Application, reader: SiteReader): Logins<TableLogin> {
  const { open, look, check, ttl, renew, fault } = claimedLogins(application, reader);

  async function identify(credentials: Credentials): Promise<Login<TableLogin> | Refusal> {
    try {
      const { site } = await open();
      const sent = asCookie(credentials, () => application.onlyCookie?.(site));
      if (sent === null)
        return refusalOf(notLoggedIn('the value that the client sent is no login of this site'));
      const cookies = new RequestCookies(sent.cookies);
      const claim = application.claim(site, { ...sent, cookies });
      if ('state' in claim) return refusalOf(cookies.explain(claim));
      let found = await look(claim);
      if (found.state === 'nobody') {
        await pause(secondLookAfter);
        found = await look(claim);
      }
      return found.state === 'user' ? found.login : refusalOf(cookies.explain(found));
    } catch (error) {
      return unavailable(error);
    }
  }

  return {
    ...mailOf(application, open),
    accounts: accountsOf(application, reader.nobody, open),
    identify,
    check,
    binding(credentials) {
      if (reader.last === undefined) return null;
      const claim = application.claim(reader.last.site, {
        ...credentials,
        cookies: new RequestCookies(credentials.cookies),
      });
      if ('state' in claim) return null;
      const secrets: (readonly string[])[] = [];
      for (let each: Claim | undefined = claim; each !== undefined; each = each.fallback) {
        secrets.push(each.secrets);
      }
      return JSON.stringify(secrets);
    },
    watch: watchNothing,
    ttl,
    lifetime: undefined,
    renew,
    answers: asked(() => fault().then((error) => error === null)),
    reload: () => reader.reload(),
    fingerprint: (digest) => reader.fingerprint(digest),
    fault,
    close: () => reader.close(),
  };
}

/** @param changed see `SiteSql` */
async function changesBy(database: OpenSite['database'], changed: string): Promise<Changes> {
  try {
    const rows = await database.query(changed);
    return new Map(rows.flatMap(([name, time]) => (name == null || time == null ? [] : [[name, time]])));
  } catch (error) {
    if (error instanceof StoreError) return new Map();
    throw error;
  }
}

/** Nothing notifies of a change in these tables. */
export const watchNothing: Logins['watch'] = () => ({
  add: () => ({ since: undefined, end() {} }),
  end() {},
});

function tablesOf(application: Pick<Application, 'kind' | 'logins'>, open: OpenSite): Tables {
  const { site, driver, database } = open;
  const logins = Object.entries(application.logins(site, driver));
  const known = new Map(logins.map(([name, table]) => [name, questions(table, open)]));
  const [first] = known.values();
  const parts = logins.flatMap(([, table]) => table.parts ?? []);
  const names = [...new Set(parts.flatMap(({ tables = [] }) => tables))];
  const changed = names.length === 0 ? undefined : driver.changed?.(names);
  let askedAt = Number.NEGATIVE_INFINITY;
  let changes: Promise<Changes> = Promise.resolve(new Map());
  return {
    open,
    site,
    has: (name) => known.has(name),
    table(name) {
      const found = known.get(name);
      if (found === undefined) throw new Error(`${application.kind} has no table ${name} of logins`);
      return found;
    },
    changes() {
      if (changed !== undefined && performance.now() - askedAt > timesFor) {
        askedAt = performance.now();
        changes = changesBy(database, changed);
      }
      return changes;
    },
    ask: () => (first as Questions).ask(),
  };
}

export function questions(table: LoginTable, site: OpenSite): Questions {
  const { driver, database, charset, views } = site;
  const names = Object.keys(table.columns);
  const quoted = (name: string) => `${driver.quote}${name}${driver.quote}`;
  // The key comes as text, or as its bytes.
  const keyOf = (key: string) => (table.columns[key] === 'bytes' ? quoted(key) : driver.asText(quoted(key)));
  const select = (key: string, data: string, state: string) =>
    `SELECT ${keyOf(key)}, ${data}, ${state} FROM ${from} WHERE ${quoted(key)}`;
  const parts = partsOf(table, site);
  const { packed: columns, from } = packedRows(driver, table, { charset, views });
  const packed = parts?.withValues(columns) ?? columns;
  const versions = parts === undefined ? versionsOf(table, site) : undefined;
  const keeper = rowKeeper(table);
  // Parts have digests of their own.
  const digestSql =
    (parts === undefined && (versions?.ofRow ?? driver.digestOfAll?.(names.map(quoted)))) || 'NULL';
  const rowsBy = (sql: string) => async (keys: readonly string[]) => {
    const rows = await database.rows(sql, keys);
    return new Map(rows.map((row) => [row.id, row]));
  };
  const whole = select(table.id, packed, digestSql);
  const found = batchLookups(rowsBy(whole));
  const readDigests =
    versions?.read ?? rowsBy(digestSql === 'NULL' ? whole : select(table.id, 'NULL', digestSql));
  const keys = batchLookups(rowsBy(parts?.keys ?? select(table.id, 'NULL', 'NULL')));
  /** The id is in the row; what a database considers equal may be several rows. */
  const byLookup = select(table.lookup, driver.packed([{ sql: quoted(table.id), is: 'text' }]), 'NULL');
  /** Where the database computes no digest, the row itself is compared. */
  const digestIn = ({ data, state }: { data: Buffer | null; state: string | null }) =>
    state ?? data?.toString('latin1') ?? '';
  async function row(id: string): Promise<Found | null> {
    const answer = await found(id);
    if (!answer?.data) return null;
    const read = parts?.read(answer.data) ?? { row: unpacked(answer.data, names), parts: undefined };
    const isVersioned = versions?.viewed !== undefined && answer.state !== null;
    return {
      ...read,
      digest: read.parts === undefined ? digestIn(answer) : '',
      kept: isVersioned ? keeper.keep(read.row) : undefined,
    };
  }
  async function viewed({ id, kept }: TableLogin, version: string): Promise<Found | null> {
    const now = kept && (await versions?.viewed?.(id, keeper.row(kept), version));
    return now ? { row: now, digest: version, parts: undefined, kept: keeper.keep(now) } : null;
  }
  async function idsOf(lookup: string): Promise<string[]> {
    if (table.lookup === table.id) return [lookup];
    const rows = await database.rows(byLookup, [forColumn(lookup, charset)]);
    return rows.slice(0, mostEqual).map(({ data }) => String((data && unpacked(data, ['id']).id) ?? ''));
  }
  const { renewed, ignoresCase } = table;
  const compared = (text: string) => (ignoresCase ? text.toLowerCase() : text);
  return {
    // The keys may have any type.
    ask: () => database.query(`SELECT ${digestSql === 'NULL' ? packed : digestSql} FROM ${from} WHERE 1 = 0`),
    async find(lookup) {
      for (const id of await idsOf(lookup)) {
        const at = await row(id);
        // The database may consider other texts equal to it.
        const found = String(at?.row[table.lookup] ?? '');
        if (at !== null && compared(found) === compared(lookup)) return { id, ...at };
      }
      return null;
    },
    exists: async (id) => (await keys(id)) !== null,
    async changed(logins, changes) {
      const made = logins.filter((login) => login.parts !== undefined) as (TableLogin & { parts: Parts })[];
      const wholes = logins.filter((login) => login.parts === undefined);
      const [ofParts = [], ofWhole] = await Promise.all([
        parts?.changed(made, changes),
        together(
          readDigests,
          wholes.map(({ id }) => id),
        ),
      ]);
      const differing = wholes.flatMap((login): [TableLogin, Change][] => {
        const { id, digest, kept } = login;
        const answer = ofWhole.get(id);
        if (answer === undefined) return [[login, []]];
        if (digestIn(answer) === digest) return [];
        const { state } = answer;
        return [[login, kept && state !== null && isOnlyViewed(digest, state) ? state : []]];
      });
      return [...ofParts, ...differing];
    },
    async again(login, change) {
      const { id, parts: before } = login;
      // Most changes are those of a session alone.
      if (typeof change === 'string') return (await viewed(login, change)) ?? row(id);
      const made = before && change.length > 0 ? await parts?.renewed(before, change) : null;
      return made ? { ...made, digest: '', kept: undefined } : row(id);
    },
    ...(renewed && {
      lifetime: renewed.lifetime,
      renew(id) {
        const [now, alive] = [driver.moment('unix', 0), driver.moment('unix', renewed.lifetime)];
        const condition = `${driver.exactly(renewed.id)} AND ${renewed.column} >= ${alive}`;
        return database.change(driver.update(renewed.table, `${renewed.column} = ${now}`, condition), id);
      },
    }),
  };
}

/** Rows that a database considers equal to what is looked for: other cases, accents, blanks at the end. */
const mostEqual = 10;

/** A value that the client sent itself, as the only cookie; null if there is no such login. */
function asCookie(credentials: Credentials, name: () => string | undefined): Credentials | null {
  const { session, ...others } = credentials;
  if (session === undefined) return credentials;
  const only = name();
  if (only === undefined || typeof session !== 'string' || session === '' || session.length > 4096)
    return null;
  return {
    ...others,
    cookies: `${only}=${Buffer.from(session)
      .toString('latin1')
      .replace(/[^\w.-]/g, escaped)}`,
  };
}

const escaped = (character: string) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
