import { setTimeout as pause } from 'node:timers/promises';
import type { Application, Claim, Judged, Row } from '../application.ts';
import { ConfigurationError } from '../configuration/configuration.ts';
import {
  type Credentials,
  handleOf,
  type Login,
  type Logins,
  type Refusal,
  StoreError,
  type Verdict,
} from '../login.ts';
import { packedRows, unpacked } from '../rows.ts';
import type { OpenSite, SiteReader } from '../site.ts';
import { batched } from '../stores/lookups.ts';
import type { Database } from '../stores/sql/driver.ts';

/** Milliseconds until a login that is missing is looked for again: the page may not have written it yet. */
const secondLookAfter = 250;
/** Milliseconds for which the answer of `answers` is used again. */
const answersFor = 250;

/** A login in a table. */
export interface TableLogin {
  claim: Claim;
  /** The primary key of the row. */
  id: string;
  /** A digest of all that is judged of the row. */
  digest: string;
  /** The settings that it was judged by: with others it is judged again. */
  site: unknown;
}

interface Look {
  row: Row;
  digest: string;
}

/** The questions about one state of the settings. */
interface Tables {
  site: unknown;
  database: Database;
  /** By the column of the claims. */
  find(lookup: string): Promise<({ id: string } & Look) | null>;
  /** By the primary key. */
  digest(id: string): Promise<string | null>;
  row(id: string): Promise<Look | null>;
}

/** The logins of an application that keeps them in tables of its own. */
export function tableLogins(application: Application, reader: SiteReader): Logins<TableLogin> {
  let known: { open: OpenSite; tables: Tables } | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let answered: Promise<boolean> = Promise.resolve(false);

  /** @throws StoreError */
  async function tables(): Promise<Tables> {
    const open = await reader.open();
    if (known?.open !== open) known = { open, tables: tablesOf(application, open) };
    return known.tables;
  }

  function judge(site: unknown, claim: Claim, row: Row | null): Judged {
    return application.judge(site, claim, row, Math.floor(Date.now() / 1000));
  }

  function verdict(site: unknown, claim: Claim, found: ({ id: string } & Look) | null): Verdict<TableLogin> {
    const judged = judge(site, claim, found?.row ?? null);
    if (judged.state !== 'user' || found === null) return judged as Exclude<Judged, { state: 'user' }>;
    const { user, ends } = judged;
    const { id, digest } = found;
    return {
      state: 'user',
      login: {
        handle: handleOf(application.kind, user.id, claim.secrets),
        user,
        state: { claim, id, digest, site },
        ...(ends === undefined ? {} : { ends }),
      },
    };
  }

  async function look(claim: Claim): Promise<Verdict<TableLogin>> {
    const { site, find } = await tables();
    return verdict(site, claim, await find(claim.lookup));
  }

  async function identify(credentials: Credentials): Promise<Login<TableLogin> | Refusal> {
    try {
      if (credentials.session !== undefined)
        return refused(unauthorized('a login of this site has cookies, and no single value'));
      const claim = application.claim((await tables()).site, credentials);
      if ('reason' in claim) return refused(claim);
      let found = await look(claim);
      if (found.state === 'nobody') {
        await pause(secondLookAfter);
        found = await look(claim);
      }
      if (found.state === 'user') return found.login;
      const { state, ...why } = found;
      return { code: state === 'invalid' ? 'session_invalid' : 'unauthorized', ...why };
    } catch (error) {
      return { code: 'session_store_unavailable', reason: reasonOf(error), kind: reasonOf(error) };
    }
  }

  /** Most checks end with a digest that has not changed. */
  async function check({
    state: { claim, id, digest, site },
  }: Login<TableLogin>): Promise<Verdict<TableLogin> | null> {
    const now = await tables();
    if (now.site === site && (await now.digest(id)) === digest) return null;
    const found = await now.row(id);
    return verdict(now.site, claim, found && { id, ...found });
  }

  return {
    identify,
    check: (logins) => logins.map(check),
    binding(credentials) {
      if (reader.last === undefined) return null;
      const claim = application.claim(reader.last.site, credentials);
      return 'reason' in claim ? null : JSON.stringify(claim.secrets);
    },
    watch: () => ({ add: () => ({ since: undefined, end() {} }), end() {} }),
    // The end of a login is known in advance: see `ends`.
    ttl: () => Promise.resolve(null),
    lifetime: undefined,
    renew: () => Promise.resolve(),
    answers() {
      if (performance.now() - askedAt > answersFor) {
        askedAt = performance.now();
        answered = fault().then((error) => error === null);
      }
      return answered;
    },
    fault,
    close: () => reader.close(),
  };

  async function fault(): Promise<StoreError | null> {
    try {
      await (await tables()).digest('0');
      return null;
    } catch (error) {
      return error instanceof StoreError ? error : new StoreError(reasonOf(error), { cause: error });
    }
  }
}

function tablesOf(application: Application, { site, driver, database, charset, views }: OpenSite): Tables {
  const table = application.logins(site);
  const names = Object.keys(table.columns);
  const { packed, from } = packedRows(driver, table, { charset, views });
  const select = (key: string, data: string, state: string) =>
    `SELECT ${driver.asText(key)}, ${data}, ${state} FROM ${from} WHERE ${key}`;
  const digestSql = driver.digestOfBytes?.(packed);
  const rowsBy = (sql: string) => async (keys: readonly string[]) => {
    const rows = await database.rows(sql, keys);
    return new Map(rows.map((row) => [row.id, row]));
  };
  const whole = select(table.id, packed, digestSql ?? packed);
  const found = batched(rowsBy(whole));
  const digests = batched(rowsBy(select(table.id, 'NULL', digestSql ?? packed)));
  /** The id is in the row; what a database considers equal may be several rows. */
  const byLookup = select(table.lookup, driver.packed([{ sql: table.id, is: 'text' }]), 'NULL');
  const looked = (data: Buffer | null, state: string | null): Look | null =>
    data === null ? null : { row: unpacked(data, names), digest: state ?? '' };
  async function row(id: string): Promise<Look | null> {
    const answer = await found(id);
    return answer && looked(answer.data, answer.state);
  }
  return {
    site,
    database,
    async find(lookup) {
      const rows = await database.rows(byLookup, [forColumn(lookup, charset)]);
      for (const { data } of rows.slice(0, mostEqual)) {
        const id = data === null ? '' : String(unpacked(data, ['id']).id ?? '');
        const at = await row(id);
        // Only the application compares by bytes.
        if (at !== null && String(at.row[table.lookup] ?? '') === lookup) return { id, ...at };
      }
      return null;
    },
    async digest(id) {
      return (await digests(id))?.state ?? null;
    },
    row,
  };
}

/** Rows that a database considers equal to what is looked for: other cases, accents, blanks at the end. */
const mostEqual = 10;

const windows1252 = new TextDecoder('windows-1252');

/** A text as it stands in the columns of a site whose connection has that character set. */
const forColumn = (text: string, charset: OpenSite['charset']) =>
  charset === 'latin1' ? windows1252.decode(Buffer.from(text)) : text;

const unauthorized = (reason: string) => ({ reason, kind: reason });

const refused = (why: { reason: string; kind: string; hint?: string | undefined }): Refusal => ({
  code: 'unauthorized',
  ...why,
});

/** @throws the error if it is a bug */
function reasonOf(error: unknown): string {
  if (error instanceof StoreError || error instanceof ConfigurationError) return error.message;
  throw error;
}
