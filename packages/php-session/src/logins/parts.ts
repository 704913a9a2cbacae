import { batchLookups } from '../stores/lookups.ts';
import { loadInBatches } from './lookups.ts';
import { packRow, packTable, unpackRow } from './rows.ts';
import type { OpenSite } from './site.ts';
import { type LoginTable, type Row, textsOf } from './site-table.ts';
import { lineOf } from './sql.ts';

/** After at most this time, a part is read again even if the database reports no change of its tables. */
const maxTrustMs = 60_000;

/** One part of a login as it was when the login was read. */
export interface PartState {
  /** The index of the part's key column in the key columns of all parts. */
  readonly reference: number;
  readonly key: string;
  /** What is compared: the columns, or a digest of them. */
  readonly value: string;
  /** Packed. If the login that was read before has equal columns, such as the same groups, both share one buffer. */
  readonly columns: Buffer;
  /** The change times of its tables at the last comparison. */
  changeTimes?: string | undefined;
  /** Until this time of `performance.now()`, unchanged change times are trusted. */
  trustedUntil: number;
}

/** A part that differs. `value` is undefined if the part's row no longer exists. */
export interface ChangedPart {
  readonly part: PartState;
  readonly value: string | undefined;
}

/** The time of the last change of each table, by name. Tables whose time is unknown are missing. */
export type TableTimes = ReadonlyMap<string, string>;

/** Compares logins by their parts. */
interface PartComparison {
  /** Adds the values of the parts to the packed columns, so that both are read at the same time. */
  pack(columns: string): string;
  /** Reverses `pack`. `parts` is undefined if a required key is NULL. */
  unpack(data: Buffer): { row: Row; parts: PartState[] | undefined };
  /** Returns the logins with changed parts, and these parts. */
  findChanged<Login extends { parts: readonly PartState[] }>(
    logins: readonly Login[],
    times: TableTimes,
  ): Promise<(readonly [Login, readonly ChangedPart[]])[]>;
  /** Reads the changed parts of a login. Null if the whole login must be read, for example because a key has changed. */
  reread(
    id: string,
    parts: readonly PartState[],
    changed: readonly ChangedPart[],
  ): Promise<{ row: Row; parts: PartState[] } | null>;
}

/**
 * Opens the comparison of a table's parts.
 * @returns undefined if the table has no parts, or the database has no change times
 */
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
  /** Returns the SQL for a value preceded by its length. A digest has 64 digits. */
  const packValue = (isShort: true | undefined, columns: readonly string[]) => {
    const value = digest(isShort, columns);
    return isShort ? `LENGTH(${value}), ':', ${value}` : `'64:', ${value}`;
  };

  const readers = parts.map((part) => {
    const columns = Object.keys(part.columns);
    const id = quoted(part.id);
    const isBytes = Object.keys(part.of).some((key) => table.columns[key] === 'bytes');
    const { packed, from } = packTable(driver, part, { charset, views });
    const select = (data: string, source = from) =>
      `SELECT ${isBytes ? id : driver.asText(id)}, ${data}, NULL FROM ${source} WHERE ${id}`;
    const selectValues = select(part.lines ? packed : digest(part.short, columns));
    return {
      select,
      async read(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
        const rows = await database.rows(selectValues, keys);
        if (!part.lines) return new Map(rows.map(({ id, data }) => [id, data?.toString('latin1') ?? '']));
        const linesByKey = new Map(keys.map((key): [string, string[]] => [key, []]));
        for (const { id, data } of rows)
          linesByKey.get(id)?.push(lineOf(textsOf(data && unpackRow(data, columns))(columns[0] as string)));
        return new Map([...linesByKey].map(([key, lines]) => [key, joinSorted(lines)]));
      },
    };
  });

  const references = parts.flatMap(({ of, ...part }, index) =>
    Object.entries(of).map(([key, columns]) => {
      const own = Object.keys(part.columns);
      // The types of the login's columns, which these values replace.
      const kinds = own.map((name, n) => [name, table.columns[columns[n] as string] ?? 'text'] as const);
      const source = { ...part, columns: Object.fromEntries(kinds) };
      const { packed, from } = packTable(driver, source, { charset, views });
      const select = readers[index]?.select(`CONCAT(${packed}, ${packValue(part.short, own)})`, from) ?? '';
      const read = batchLookups(async (keys) => {
        const rows = await database.rows(select, keys);
        return new Map(rows.map(({ id, data }) => [id, data]));
      });
      return { ...part, index, key, columns, read };
    }),
  );
  type Reference = (typeof references)[number];
  const referenceOf = ({ reference }: PartState) => references[reference] as Reference;

  const lastStates: (PartState | undefined)[] = [];
  function createState(reference: number, key: string, value: string, row: Row): PartState {
    const last = lastStates[reference];
    const packed = packRow(row, references[reference]?.columns ?? []);
    const columns = last?.columns.equals(packed) ? last.columns : packed;
    const state = { reference, key, value, columns, trustedUntil: 0 };
    lastStates[reference] = state;
    return state;
  }

  function rowOf(id: string, states: readonly PartState[]): Row {
    const row: Record<string, Buffer | null> = Object.fromEntries(names.map((name) => [name, null]));
    row[table.id] = Buffer.from(id);
    for (const state of states) row[referenceOf(state).key] = Buffer.from(state.key, 'latin1');
    for (const state of states) Object.assign(row, unpackRow(state.columns, referenceOf(state).columns));
    return row;
  }

  async function rereadPart(id: string, { part, value }: ChangedPart): Promise<PartState | null> {
    const { lines, columns, read } = referenceOf(part);
    if (lines && value !== undefined) {
      const start = lines === 'id' ? `${id} ` : '';
      if (!value.split('\n').some((line) => line.startsWith(start))) return null;
      const row = { [columns[0] as string]: Buffer.from(value) };
      return createState(part.reference, part.key, value, row);
    }
    const data = await read(part.key);
    if (!data) return null;
    const row = unpackRow(data, [...columns, '']);
    return createState(part.reference, part.key, row['']?.toString('latin1') ?? '', row);
  }

  /** Returns the change times of a part's tables. Undefined without tables, or if a time is unknown. */
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
      states.push(createState(reference, id.toString('latin1'), value, row));
    }
    return states;
  }

  return {
    pack: (columns) =>
      `CONCAT(${[columns, ...references.map(({ lines, short, columns }) => (lines ? "'-'" : packValue(short, columns)))].join(', ')})`,
    unpack(data) {
      const row = unpackRow(data, [...names, ...references.map((_, n) => String(n))]);
      return { row, parts: partsIn(row) };
    },
    async findChanged(logins, times) {
      const now = performance.now();
      const partTimes = parts.map((part) => timesOf(part, times));
      const indexOf = (part: PartState) => referenceOf(part).index;
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
      const values = await Promise.all(
        readers.map(({ read }, n) => loadInBatches(read, [...(keys[n] ?? [])])),
      );
      // Random for each key, so that logins that are compared together do not become untrusted together.
      const trustTime = () => now + maxTrustMs * (0.5 + Math.random() / 2);
      const trustTimes = keys.map((each) => new Map([...each].map((key) => [key, trustTime()])));
      return candidates.flatMap(({ login, untrusted }) => {
        const changed = untrusted.flatMap((part): ChangedPart[] => {
          const value = values[indexOf(part)]?.get(part.key);
          if (value !== part.value) return [{ part, value }];
          part.changeTimes = partTimes[indexOf(part)];
          part.trustedUntil = trustTimes[indexOf(part)]?.get(part.key) ?? 0;
          return [];
        });
        return changed.length === 0 ? [] : [[login, changed] as const];
      });
    },
    async reread(id, parts, changed) {
      const read = await Promise.all(changed.map((each) => rereadPart(id, each)));
      if (read.includes(null)) return null;
      const byReference = new Map(read.map((state) => [state?.reference, state]));
      const states = parts.map((part) => byReference.get(part.reference) ?? part);
      const row = rowOf(id, states);
      const isSame = (part: PartState) => row[referenceOf(part).key]?.toString('latin1') === part.key;
      return states.every(isSame) ? { row, parts: states } : null;
    },
  };
}

/** Joins lines in an order that does not depend on the database. */
const joinSorted = (lines: readonly string[]) => lines.toSorted().join('\n');
