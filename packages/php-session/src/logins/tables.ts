import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../configuration/configuration.ts';
import { RequestCookies } from '../cookie.ts';
import { mergeRoles } from '../identity.ts';
import {
  type CheckResult,
  type Credentials,
  type Login,
  type Logins,
  notLoggedIn,
  type Refusal,
  type SessionUser,
  StoreError,
  toHandle,
  toRefusal,
  toUnavailable,
} from '../login.ts';
import { option } from '../names.ts';
import { batchLookups } from '../stores/lookups.ts';
import type { SqlRow } from '../stores/sql/driver.ts';
import type { Application, NamedRoles } from './application.ts';
import { type Claim, keyChanged } from './claim.ts';
import { loadInBatches, throttleProbe } from './lookups.ts';
import { type ChangedPart, comparePartsOf, type PartState, type TableTimes } from './parts.ts';
import { encodeForColumn, packTable, unpackRow } from './rows.ts';
import type { OpenSite, SiteReader } from './site.ts';
import { openAccounts } from './site-accounts.ts';
import type { LoginTable, Row, SiteTable } from './site-table.ts';
import type { SiteSql } from './sql.ts';
import { versionReader } from './versions.ts';

/** Change times are reused by checks within this time. */
const timesTtlMs = 250;
/** A missing login is read again after this time, because the page may still be writing it. */
export const retryDelayMs = 250;

/** A login in a table. */
export interface TableLogin extends Compared {
  claim: Claim;
  /** The primary key of the row. */
  id: string;
  /** The settings at the last check. Other settings cause a new check. */
  site: unknown;
  /** See `RowUser`. */
  idle: number | undefined;
  memo: string | undefined;
}

/** The values by which checks compare a row. */
interface Compared {
  /** A digest of its columns, the version of its rows, or the columns; empty if `parts` is set. */
  digest: string;
  parts: readonly PartState[] | undefined;
}

function addNamedRoles(user: SessionUser, { admins, moderators }: NamedRoles): SessionUser {
  const { id, roles: given } = user;
  const roles = mergeRoles(given, {
    admin: admins?.includes(id) === true,
    moderator: moderators?.includes(id) === true,
  });
  return roles.length === (given?.length ?? 0) ? user : { ...user, roles };
}

/** A detected change: the current digest, or the parts that differ. Undefined if it is unknown. */
type Change = string | readonly ChangedPart[] | undefined;

interface LoginRow extends Compared {
  id: string;
  row: Row;
}

/** The tables of one state of the settings. */
interface LoginTables {
  open: OpenSite;
  site: unknown;
  has(name: string): boolean;
  /**
   * Returns the reader of a table.
   * @param name as in `Claim.table`
   * @throws Error if the table is missing
   */
  table(name: string): LoginReader;
  /**
   * Returns the times of the last changes, which must be read before the rows. Empty if the database does not return them.
   */
  changeTimes(): Promise<TableTimes>;
  /** @throws StoreError if the database cannot be read */
  probe(): Promise<unknown>;
}

/** The rows of one table. */
interface LoginReader {
  find(lookup: string): Promise<LoginRow | null>;
  /** Reads a login again. @param change by `findChanged` */
  read(login: TableLogin, change: Change): Promise<LoginRow | null>;
  /** Returns the logins whose rows have changed since they were read. */
  findChanged(
    logins: readonly TableLogin[],
    times: TableTimes,
  ): Promise<readonly (readonly [TableLogin, Change])[]>;
  /** Checks access without reading a row. @throws StoreError if the table cannot be read */
  probe(): Promise<unknown>;
  /** @throws StoreError if the row may not be changed */
  renew?(id: string): Promise<void>;
  /** The lifetime in seconds. Absent if page views do not renew logins. */
  lifetime?: number;
}

/** Finds and checks logins by claims. */
export interface ClaimedLogins extends Pick<Logins<TableLogin>, 'ttl' | 'renew'> {
  /** @throws StoreError */
  open(): Promise<OpenSite>;
  /** Checks a claim, then its fallbacks until a claim has a user. @param memo of the previous check @throws StoreError */
  checkClaim(claim: Claim, memo?: string): Promise<CheckResult<{ login: Login<TableLogin> }>>;
  /** See `Logins.check`. */
  check(logins: readonly Login<TableLogin>[]): Promise<CheckResult<{ login: Login<TableLogin> }> | null>[];
  /** Compares all logins at once. */
  compare(logins: readonly Login<TableLogin>[]): Promise<Recheck>;
  fault(): Promise<StoreError | null>;
}

/** Checks a changed login. Null if the login is unchanged. */
export type Recheck = (login: Login<TableLogin>) => Promise<CheckResult<{ login: Login<TableLogin> }>> | null;

export function claimedLogins(
  application: Pick<Application, 'kind' | 'keys' | 'logins' | 'checkRow'>,
  reader: SiteReader,
): ClaimedLogins {
  let cached: { open: OpenSite; tables: LoginTables } | undefined;

  /** @throws StoreError */
  async function tables(): Promise<LoginTables> {
    const open = await reader.open().catch((error: unknown) => {
      if (error instanceof ConfigurationError) throw new StoreError(error.message, { cause: error });
      throw error;
    });
    if (cached?.open !== open) cached = { open, tables: openTables(application, open) };
    return cached.tables;
  }

  function toResult(
    site: unknown,
    claim: Claim,
    found: LoginRow | null,
    before?: string,
  ): CheckResult<{ login: Login<TableLogin> }> {
    const now = Math.floor(Date.now() / 1000);
    const result = application.checkRow(site, claim, found?.row ?? null, now, before);
    if (result.state !== 'user') return result;
    if (found === null) throw new Error(`${application.kind} accepted a login without a row`);
    const { ends, idle, memo, mayBeOver } = result;
    const user = addNamedRoles(result.user, reader.named);
    if (reader.nobody.includes(user.id))
      return { ...notLoggedIn(`the user's id is listed in ${option('userNobody')}`), isFinal: true };
    const { id, digest, parts } = found;
    return {
      state: 'user',
      login: {
        handle: toHandle(application.kind, user.id, claim.secrets),
        user,
        state: { claim, id, digest, parts, site, idle, memo },
        ends,
        mayBeOver,
      },
    };
  }

  async function checkClaim(claim: Claim, memo?: string): Promise<CheckResult<{ login: Login<TableLogin> }>> {
    const { site, table } = await tables();
    const result = toResult(site, claim, await table(claim.table).find(claim.lookup), memo);
    return result.state !== 'nobody' || result.isFinal || claim.fallback === undefined
      ? result
      : checkClaim(claim.fallback, memo);
  }

  async function findChanged(logins: readonly Login<TableLogin>[]): Promise<ReadonlyMap<TableLogin, Change>> {
    const now = await tables();
    const changed = new Map<TableLogin, Change>();
    const byTable = new Map<string, TableLogin[]>();
    for (const { state } of logins) {
      const isDue = state.idle !== undefined && Date.now() >= state.idle * 1000;
      if (now.site !== state.site || isDue) {
        changed.set(state, undefined);
        continue;
      }
      const others = byTable.get(state.claim.table);
      if (others === undefined) byTable.set(state.claim.table, [state]);
      else others.push(state);
    }
    if (byTable.size === 0) return changed;
    const times = await now.changeTimes();
    const found = [...byTable].map(([name, states]) => now.table(name).findChanged(states, times));
    for (const each of await Promise.all(found))
      for (const [state, change] of each) changed.set(state, change);
    return changed;
  }

  async function compare(logins: readonly Login<TableLogin>[]): Promise<Recheck> {
    const changed = await findChanged(logins);
    // Creates no promise for an unchanged login.
    return (login) => (changed.has(login.state) ? recheck(login, changed.get(login.state)) : null);
  }

  function check(
    logins: readonly Login<TableLogin>[],
  ): Promise<CheckResult<{ login: Login<TableLogin> }> | null>[] {
    const comparing = compare(logins);
    // Without logins, nothing else handles a rejection.
    comparing.catch(() => {});
    return logins.map((login) => comparing.then((recheck) => recheck(login)));
  }

  async function recheck(
    { handle, user, state }: Login<TableLogin>,
    change: Change,
  ): Promise<CheckResult<{ login: Login<TableLogin> }>> {
    const { claim, memo } = state;
    const now = await tables();
    if (
      now.site !== state.site &&
      !isDeepStrictEqual(application.keys?.(now.site), application.keys?.(state.site))
    )
      return keyChanged;
    if (!now.has(claim.table))
      return notLoggedIn('the settings of the site have changed, and its logins are now in other tables');
    const row = await now.table(claim.table).read(state, now.site === state.site ? change : undefined);
    const result = toResult(now.site, claim, row, memo);
    if (result.state !== 'nobody' || result.isFinal || claim.fallback === undefined) return result;
    let other = await checkClaim(claim.fallback, memo);
    if (row === null && other.state === 'nobody') {
      // The application may still be writing another row.
      await pause(retryDelayMs);
      other = await checkClaim(claim, memo);
    }
    // The connection keeps its handle.
    return other.state === 'user' && other.login.user.id === user.id
      ? { state: 'user', login: { ...other.login, handle } }
      : other;
  }

  return {
    open: async () => (await tables()).open,
    checkClaim,
    check,
    compare,
    async ttl({ state: { claim, idle } }) {
      // Without `idle`, the login has a fixed end (`ends`) or does not expire.
      if (idle === undefined) return null;
      const left = Math.max(0, idle * 1000 - Date.now());
      return left === 0 || (await tables()).table(claim.table).lifetime !== undefined ? left : null;
    },
    async renew({ state: { claim, id } }) {
      await (await tables()).table(claim.table).renew?.(id);
    },
    async fault() {
      try {
        await (await tables()).probe();
        return null;
      } catch (error) {
        if (error instanceof StoreError) return error;
        throw error;
      }
    },
  };
}

/** Returns `Logins.findMail`, or nothing if the application has no addresses. @param open as in `ClaimedLogins` */
export function findMail<Site>(
  { mails }: { mails?(site: Site, sql: SiteSql): SiteTable },
  open: () => Promise<OpenSite>,
): Pick<Logins, 'findMail'> {
  if (mails === undefined) return {};
  return {
    async findMail(user) {
      const { site, driver, database, charset, views } = await open();
      const { packed, from } = packTable(driver, mails(site as Site, driver), { charset, views });
      const id = `${driver.quote}id${driver.quote}`;
      const rows = await database.rows(
        `SELECT ${driver.asText(id)}, ${packed}, NULL FROM ${from} WHERE ${id}`,
        [user],
      );
      // MySQL also finds the number 7 by the text 7abc.
      const row = rows.find(({ id }) => id === user);
      return row?.data ? unpackRow(row.data, ['mail']).mail?.toString('utf8') || null : null;
    },
  };
}

/** Opens the logins of an application that keeps them in its own tables. */
export function tableLogins(application: Application, reader: SiteReader): Logins<TableLogin> {
  const { open, checkClaim, check, ttl, renew, fault } = claimedLogins(application, reader);

  async function identify(credentials: Credentials): Promise<Login<TableLogin> | Refusal> {
    try {
      const { site } = await open();
      const sent = toCookie(credentials, () => application.onlyCookie?.(site));
      if (sent === null)
        return toRefusal(notLoggedIn('the value that the client sent cannot be the cookie of a login'));
      const cookies = new RequestCookies(sent.cookies);
      const claim = application.claim(site, { ...sent, cookies });
      if ('state' in claim) return toRefusal(cookies.explain(claim));
      let result = await checkClaim(claim);
      if (result.state === 'nobody') {
        await pause(retryDelayMs);
        result = await checkClaim(claim);
      }
      return result.state === 'user' ? result.login : toRefusal(cookies.explain(result));
    } catch (error) {
      return toUnavailable(error);
    }
  }

  return {
    ...findMail(application, open),
    accounts: openAccounts(application, reader.nobody, open),
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
    answers: throttleProbe(() => fault().then((error) => error === null)),
    reload: () => reader.reload(),
    fingerprint: (digest) => reader.fingerprint(digest),
    fault,
    close: () => reader.close(),
  };
}

/** Reads the times of the last changes. Empty if the query fails. @param changed as in `SiteSql` */
async function readChangeTimes(database: OpenSite['database'], changed: string): Promise<TableTimes> {
  try {
    const rows = await database.query(changed);
    return new Map(rows.flatMap(([name, time]) => (name == null || time == null ? [] : [[name, time]])));
  } catch (error) {
    if (error instanceof StoreError) return new Map();
    throw error;
  }
}

/** A database does not notify of changed rows. */
export const watchNothing: Logins['watch'] = () => ({
  add: () => ({ since: undefined, end() {} }),
  end() {},
});

function openTables(application: Pick<Application, 'kind' | 'logins'>, open: OpenSite): LoginTables {
  const { site, driver, database } = open;
  const logins = Object.entries(application.logins(site, driver));
  const known = new Map(logins.map(([name, table]) => [name, openLoginReader(table, open)]));
  const [first] = known.values();
  const parts = logins.flatMap(([, table]) => table.parts ?? []);
  const names = [...new Set(parts.flatMap(({ tables = [] }) => tables))];
  const changed = names.length === 0 ? undefined : driver.changed?.(names);
  let readAt = Number.NEGATIVE_INFINITY;
  let times: Promise<TableTimes> = Promise.resolve(new Map());
  return {
    open,
    site,
    has: (name) => known.has(name),
    table(name) {
      const found = known.get(name);
      if (found === undefined) throw new Error(`${application.kind} has no table ${name} of logins`);
      return found;
    },
    changeTimes() {
      if (changed !== undefined && performance.now() - readAt > timesTtlMs) {
        readAt = performance.now();
        times = readChangeTimes(database, changed);
      }
      return times;
    },
    probe: () => (first as LoginReader).probe(),
  };
}

export function openLoginReader(table: LoginTable, site: OpenSite): LoginReader {
  const { driver, database, charset, views } = site;
  const names = Object.keys(table.columns);
  const quoted = (name: string) => `${driver.quote}${name}${driver.quote}`;
  const select = (key: string, data: string, state: string) =>
    `SELECT ${table.columns[key] === 'bytes' ? quoted(key) : driver.asText(quoted(key))}, ${data}, ${state} FROM ${from} WHERE ${quoted(key)}`;
  const comparison = comparePartsOf(table, site);
  const { packed: columns, from } = packTable(driver, table, { charset, views });
  const packed = comparison?.pack(columns) ?? columns;
  const readVersions = comparison === undefined ? versionReader(table, site) : undefined;
  const digestSql =
    (comparison === undefined && readVersions === undefined && driver.digestOfAll?.(names.map(quoted))) ||
    'NULL';
  const readRows = (sql: string) => async (keys: readonly string[]) => {
    const rows = await database.rows(sql, keys);
    return new Map(rows.map((row) => [row.id, row]));
  };
  const selectRows = select(table.id, packed, digestSql);
  const readRow = batchLookups(readRows(selectRows));
  /** Returns the digest of a row. If the database computes none, returns the columns, which are then compared. */
  const digestOf = ({ data, state }: SqlRow) => state ?? data?.toString('latin1') ?? '';
  const readRowDigests = readRows(digestSql === 'NULL' ? selectRows : select(table.id, 'NULL', digestSql));
  const readDigests: (keys: readonly string[]) => Promise<ReadonlyMap<string, string | null>> =
    readVersions ??
    (async (keys) => new Map([...(await readRowDigests(keys))].map(([id, row]) => [id, digestOf(row)])));
  /** Selects the ID as data, because several IDs may belong to lookups that the database considers equal. */
  const selectIds = select(table.lookup, driver.packed([{ sql: quoted(table.id), is: 'text' }]), 'NULL');

  const readVersion = readVersions && batchLookups(readVersions);

  async function readWhole(id: string, before?: string): Promise<LoginRow | null> {
    // Read before the row, so that the next check finds a change in between.
    const version = readVersion && (before ?? (await readVersion(id)));
    const found = await readRow(id);
    if (!found?.data) return null;
    const { row, parts } = comparison?.unpack(found.data) ?? {
      row: unpackRow(found.data, names),
      parts: undefined,
    };
    return { id, row, parts, digest: parts === undefined ? (version ?? digestOf(found)) : '' };
  }

  async function findIds(lookup: string): Promise<string[]> {
    if (table.lookup === table.id) return [lookup];
    const rows = await database.rows(selectIds, [encodeForColumn(lookup, charset)]);
    return rows.slice(0, maxEqualRows).map(({ data }) => String((data && unpackRow(data, ['id']).id) ?? ''));
  }

  const { renewed, ignoresCase } = table;
  const toComparable = (text: string) => (ignoresCase ? text.toLowerCase() : text);
  return {
    probe: () =>
      database.query(`SELECT ${digestSql === 'NULL' ? packed : digestSql} FROM ${from} WHERE 1 = 0`),
    async find(lookup) {
      for (const id of await findIds(lookup)) {
        const found = await readWhole(id);
        // The database may consider other texts equal to `lookup`.
        const text = String(found?.row[table.lookup] ?? '');
        if (toComparable(text) === toComparable(lookup)) return found;
      }
      return null;
    },
    async read({ id, parts = [] }, change) {
      if (typeof change === 'string' || change === undefined) return readWhole(id, change);
      const found = await comparison?.reread(id, parts, change);
      return found ? { id, ...found, digest: '' } : readWhole(id);
    },
    async findChanged(logins, times) {
      const hasParts = (login: TableLogin): login is TableLogin & { parts: readonly PartState[] } =>
        login.parts !== undefined;
      const whole = logins.filter((login) => !hasParts(login));
      const ids = whole.map(({ id }) => id);
      const [changed = [], digests] = await Promise.all([
        comparison?.findChanged(logins.filter(hasParts), times),
        loadInBatches(readDigests, ids),
      ]);
      const differing = whole.filter(({ id, digest }) => digests.get(id) !== digest);
      return [...changed, ...differing.map((login) => [login, digests.get(login.id) ?? undefined] as const)];
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

/** Limits the rows that match a lookup. The database may ignore case, accents and trailing blanks. */
const maxEqualRows = 10;

/**
 * Replaces a session ID that the client sent outside of the cookies with the login's cookie. Null if the application
 * has no single cookie, or the ID is invalid.
 */
function toCookie(credentials: Credentials, name: () => string | undefined): Credentials | null {
  const { session, ...others } = credentials;
  if (session === undefined) return credentials;
  const only = name();
  if (only === undefined || typeof session !== 'string' || session === '' || session.length > 4096)
    return null;
  return {
    ...others,
    cookies: `${only}=${Buffer.from(session)
      .toString('latin1')
      .replace(/[^\w.-]/g, percentEncode)}`,
  };
}

const percentEncode = (character: string) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
