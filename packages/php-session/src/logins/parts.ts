import { type LoginTable, type Row, textsOf } from './application.ts';
import { together } from './lookups.ts';
import { packedRows, unpacked } from './rows.ts';
import type { OpenSite } from './site.ts';
import { lineOf } from './sql.ts';

/** After this time a part is read again even if the database reports no change of its tables. */
const maxTrustMs = 60_000;

/** One part of a login as it was when the login was read. */
export interface PartState {
  /** The index of the key column that refers to the part, among those of all parts. */
  readonly reference: number;
  readonly key: string;
  /** The columns of the part, or a digest of them. */
  readonly value: string;
  /** The change times of its tables at the last comparison. */
  changeTimes?: string | undefined;
  /** By `performance.now()`. */
  trustedUntil: number;
}

/** The last change of each table that the database knows it of, by name. */
export type TableTimes = ReadonlyMap<string, string>;

/** Compares logins by their parts. */
export interface PartComparison {
  /** Adds the values of the parts to the packed columns, so that both are of the same moment. */
  pack(columns: string): string;
  /** Reverses `pack`. `parts` is undefined if a key is NULL. */
  unpack(data: Buffer): { row: Row; parts: PartState[] | undefined };
  /** Returns the logins with changed parts. */
  findChanged<Login extends { parts: readonly PartState[] }>(
    logins: readonly Login[],
    times: TableTimes,
  ): Promise<Login[]>;
  /** Selects the keys of existing logins; undefined if no part has the key of the login. */
  selectKeys: string | undefined;
}

/** @returns undefined if the table has no parts, or the database knows no change times */
export function comparePartsOf(
  table: LoginTable,
  { driver, database, charset, views }: OpenSite,
): PartComparison | undefined {
  const { parts } = table;
  const { changed: times, allOf, digestOfAll } = driver;
  if (!parts || !times || !allOf || !digestOfAll) return undefined;

  const names = Object.keys(table.columns);
  const quoted = (name: string) => `${driver.quote}${name}${driver.quote}`;
  const digest = (isShort: true | undefined, columns: readonly string[]) =>
    (isShort ? allOf : digestOfAll)(columns.map(quoted));
  /** A value preceded by its length. A digest has 64 digits. */
  const packValue = (isShort: true | undefined, columns: readonly string[]) => {
    const value = digest(isShort, columns);
    return isShort ? `LENGTH(${value}), ':', ${value}` : `'64:', ${value}`;
  };

  const readers = parts.map((part) => {
    const columns = Object.keys(part.columns);
    const id = quoted(part.id);
    const isBytes = Object.keys(part.of).some((key) => table.columns[key] === 'bytes');
    const { packed, from } = packedRows(driver, part, { charset, views });
    const select = (data: string) =>
      `SELECT ${isBytes ? id : driver.asText(id)}, ${data}, NULL FROM ${from} WHERE ${id}`;
    const selectValues = select(part.lines ? packed : digest(part.short, columns));
    return {
      selectKeys: select('NULL'),
      async read(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
        const rows = await database.rows(selectValues, keys);
        if (!part.lines) return new Map(rows.map(({ id, data }) => [id, data?.toString('latin1') ?? '']));
        const linesByKey = new Map(keys.map((key): [string, string[]] => [key, []]));
        for (const { id, data } of rows)
          linesByKey.get(id)?.push(lineOf(textsOf(data && unpacked(data, columns))(columns[0] as string)));
        return new Map([...linesByKey].map(([key, lines]) => [key, joinSorted(lines)]));
      },
    };
  });

  const references = parts.flatMap(({ of, ...part }, index) =>
    Object.entries(of).map(([key, columns]) => ({ ...part, index, key, columns })),
  );

  /** The change times of a part's tables; undefined if one of them is unknown. */
  function timesOf({ tables = [] }: { tables?: readonly string[] }, times: TableTimes): string | undefined {
    const known = tables.map((name) => times.get(name));
    return known.length === 0 || known.includes(undefined) ? undefined : known.join(' ');
  }

  function partsIn(row: Row): PartState[] | undefined {
    const states: PartState[] = [];
    for (const [reference, { key, columns, lines, optional }] of references.entries()) {
      const id = row[key];
      if (!id && optional) continue;
      if (!id) return undefined;
      const value = lines
        ? joinSorted(textsOf(row)(columns[0] as string).split('\n'))
        : (row[reference]?.toString('latin1') ?? '');
      states.push({ reference, key: id.toString('latin1'), value, trustedUntil: 0 });
    }
    return states;
  }

  const own = parts.findIndex(({ of, lines }) => !lines && Object.hasOwn(of, table.id));
  return {
    selectKeys: readers[own]?.selectKeys,
    pack: (columns) =>
      `CONCAT(${[columns, ...references.map(({ lines, short, columns }) => (lines ? "'-'" : packValue(short, columns)))].join(', ')})`,
    unpack(data) {
      const row = unpacked(data, [...names, ...references.map((_, n) => String(n))]);
      return { row, parts: partsIn(row) };
    },
    async findChanged(logins, times) {
      const now = performance.now();
      const partTimes = parts.map((part) => timesOf(part, times));
      const indexOf = ({ reference }: PartState) => references[reference]?.index as number;
      const isTrusted = (part: PartState) =>
        part.changeTimes !== undefined &&
        part.changeTimes === partTimes[indexOf(part)] &&
        now < part.trustedUntil;
      const keys = parts.map(() => new Set<string>());
      const candidates = logins.flatMap((login) => {
        const untrusted = login.parts.filter((part) => !isTrusted(part));
        for (const part of untrusted) keys[indexOf(part)]?.add(part.key);
        return untrusted.length === 0 ? [] : [{ login, untrusted }];
      });
      const values = await Promise.all(readers.map(({ read }, n) => together(read, [...(keys[n] ?? [])])));
      // Random, so that logins that are compared together do not become untrusted together.
      const trustedUntil = now + maxTrustMs * (0.5 + Math.random() / 2);
      const hasChanged = (part: PartState) => {
        if (values[indexOf(part)]?.get(part.key) !== part.value) return true;
        part.changeTimes = partTimes[indexOf(part)];
        part.trustedUntil = trustedUntil;
        return false;
      };
      return candidates.flatMap(({ login, untrusted }) => (untrusted.some(hasChanged) ? [login] : []));
    },
  };
}

/** Joins lines in an order that does not depend on the database. */
const joinSorted = (lines: readonly string[]) => lines.toSorted().join('\n');
