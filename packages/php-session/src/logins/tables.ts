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
import { type ChangedPart, comparePartsOf, type PartState, type TableTimes } from './parts.ts';
import { forColumn, packedRows, unpacked } from './rows.ts';
import type { OpenSite, SiteReader } from './site.ts';
import { openAccounts } from './site-accounts.ts';
import type { SiteSql } from './sql.ts';
import { versionReader } from './versions.ts';

/** Change times are reused for checks of the same moment. */
const timesTtlMs = 250;
/** Milliseconds until a login that is missing is looked for again: the page may not have written it yet. */
export const secondLookAfter = 250;
/** A login in a table. */
export interface TableLogin extends Compared {
  claim: Claim;
  /** The primary key of the row. */
  id: string;
  /** The settings that it was judged by: with others it is judged again. */
  site: unknown;
  /** As in `RowUser`. */
  idle: number | undefined;
  memo: string | undefined;
}

/** What a row is compared by. */
interface Compared {
  /** A digest of its columns, the version of its rows, or the columns; empty if `parts` is set. */
  digest: string;
  parts: readonly PartState[] | undefined;
}

function withNamedRoles(user: SessionUser, { admins, moderators }: NamedRoles): SessionUser {
  const { id, roles: given } = user;
  const roles = mergeRoles(given, {
    admin: admins?.includes(id) === true,
    moderator: moderators?.includes(id) === true,
  });
  return roles.length === (given?.length ?? 0) ? user : { ...user, roles };
}

/** What is known of a change: the digest now, or the parts that differ. */
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
  /** @param name as in `Claim.table` @throws Error if there is none */
  table(name: string): LoginReader;
  /** Must be read before the rows. Empty if the database cannot say them. */
  changeTimes(): Promise<TableTimes>;
  /** @throws StoreError if the database cannot be read */
  probe(): Promise<unknown>;
}

/** The rows of one table. */
interface LoginReader {
  find(lookup: string): Promise<LoginRow | null>;
  /** Reads a login again. @param change by `findChanged` */
  read(login: TableLogin, change: Change): Promise<LoginRow | null>;
  exists(id: string): Promise<boolean>;
  /** Returns the logins whose rows have changed since they were read. */
  findChanged(
    logins: readonly TableLogin[],
    times: TableTimes,
  ): Promise<readonly (readonly [TableLogin, Change])[]>;
  /** Reads no row. @throws StoreError if the table cannot be read */
  probe(): Promise<unknown>;
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
  let known: { open: OpenSite; tables: LoginTables } | undefined;

  /** @throws StoreError */
  async function tables(): Promise<LoginTables> {
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
    found: LoginRow | null,
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
    const { id, digest, parts } = found;
    return {
      state: 'user',
      login: {
        handle: toHandle(application.kind, user.id, claim.secrets),
        user,
        state: { claim, id, digest, parts, site, idle, memo },
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

  async function differing(logins: readonly Login<TableLogin>[]): Promise<Differing> {
    const changed = await findChanged(logins);
    // Most logins are unchanged.
    return (login) => (changed.has(login.state) ? recheck(login, changed.get(login.state)) : null);
  }

  function check(
    logins: readonly Login<TableLogin>[],
  ): Promise<CheckResult<{ login: Login<TableLogin> }> | null>[] {
    const judging = differing(logins);
    // Nobody may wait for it.
    judging.catch(() => {});
    return logins.map((login) => judging.then((verdictOn) => verdictOn(login)));
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
      return notLoggedIn('by its settings, the site keeps its logins in other tables now');
    const row = await now.table(claim.table).read(state, now.site === state.site ? change : undefined);
    const found = verdict(now.site, claim, row, memo);
    if (found.state !== 'nobody' || found.isFinal || claim.fallback === undefined) return found;
    let other = await look(claim.fallback, memo);
    if (row === null && other.state === 'nobody') {
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
        await (await tables()).probe();
        return null;
      } catch (error) {
        if (error instanceof StoreError) return error;
        throw error;
      }
    },
  };
}

/** As `Logins.findMail`. @param open as in `ClaimedLogins` */
export function findMail<Site>(
  { mails }: { mails?(site: Site, sql: SiteSql): SiteTable },
  open: () => Promise<OpenSite>,
): Pick<Logins, 'findMail'> {
  if (mails === undefined) return {};
  return {
    async findMail(user) {
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
        return toRefusal(notLoggedIn('the value that the client sent is no login of this site'));
      const cookies = new RequestCookies(sent.cookies);
      const claim = application.claim(site, { ...sent, cookies });
      if ('state' in claim) return toRefusal(cookies.explain(claim));
      let found = await look(claim);
      if (found.state === 'nobody') {
        await pause(secondLookAfter);
        found = await look(claim);
      }
      return found.state === 'user' ? found.login : toRefusal(cookies.explain(found));
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
    answers: asked(() => fault().then((error) => error === null)),
    reload: () => reader.reload(),
    fingerprint: (digest) => reader.fingerprint(digest),
    fault,
    close: () => reader.close(),
  };
}

/** @param changed as in `SiteSql` */
async function readChangeTimes(database: OpenSite['database'], changed: string): Promise<TableTimes> {
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

function tablesOf(application: Pick<Application, 'kind' | 'logins'>, open: OpenSite): LoginTables {
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
  const { packed: columns, from } = packedRows(driver, table, { charset, views });
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
  const readKey = batchLookups(readRows(comparison?.selectKeys ?? select(table.id, 'NULL', 'NULL')));
  /** If the database computes no digest, the columns are compared. */
  const digestOf = ({ data, state }: SqlRow) => state ?? data?.toString('latin1') ?? '';
  const readRowDigests = readRows(digestSql === 'NULL' ? selectRows : select(table.id, 'NULL', digestSql));
  const readDigests: (keys: readonly string[]) => Promise<ReadonlyMap<string, string | null>> =
    readVersions ??
    (async (keys) => new Map([...(await readRowDigests(keys))].map(([id, row]) => [id, digestOf(row)])));
  /** Selects the ID as data, because several IDs may belong to lookups that the database considers equal. */
  const selectIds = select(table.lookup, driver.packed([{ sql: quoted(table.id), is: 'text' }]), 'NULL');

  const readVersion = readVersions && batchLookups(readVersions);

  async function readWhole(id: string, before?: string): Promise<LoginRow | null> {
    // Before the row: a change in between is then found by the next check.
    const version = readVersion && (before ?? (await readVersion(id)));
    const found = await readRow(id);
    if (!found?.data) return null;
    const { row, parts } = comparison?.unpack(found.data) ?? {
      row: unpacked(found.data, names),
      parts: undefined,
    };
    return { id, row, parts, digest: parts === undefined ? (version ?? digestOf(found)) : '' };
  }

  async function findIds(lookup: string): Promise<string[]> {
    if (table.lookup === table.id) return [lookup];
    const rows = await database.rows(selectIds, [forColumn(lookup, charset)]);
    return rows.slice(0, mostEqual).map(({ data }) => String((data && unpacked(data, ['id']).id) ?? ''));
  }

  const { renewed, ignoresCase } = table;
  const toComparable = (text: string) => (ignoresCase ? text.toLowerCase() : text);
  return {
    probe: () =>
      database.query(`SELECT ${digestSql === 'NULL' ? packed : digestSql} FROM ${from} WHERE 1 = 0`),
    async find(lookup) {
      for (const id of await findIds(lookup)) {
        const found = await readWhole(id);
        // The database may consider other texts equal to it.
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
    exists: async (id) => (await readKey(id)) !== null,
    async findChanged(logins, times) {
      const hasParts = (login: TableLogin): login is TableLogin & { parts: readonly PartState[] } =>
        login.parts !== undefined;
      const whole = logins.filter((login) => !hasParts(login));
      const ids = whole.map(({ id }) => id);
      const [changed = [], digests] = await Promise.all([
        comparison?.findChanged(logins.filter(hasParts), times),
        together(readDigests, ids),
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
