import { batchLookups } from '../stores/lookups.ts';
import { type LoginTable, type Row, textsOf } from './application.ts';
import { together } from './lookups.ts';
import { type KeptRow, packedRows, rowKeeper, unpacked } from './rows.ts';
import type { OpenSite } from './site.ts';
import { lineOf } from './sql.ts';

/** Milliseconds for which the times of the tables stand for the rows at most. */
const trustedFor = 60_000;

/** A row of logins that is made of rows of `LoginTable.parts`. */
export interface Parts {
  /** Its columns. */
  readonly data: KeptRow;
  readonly rows: readonly Part[];
}

interface Part {
  /** Which of them. */
  readonly at: number;
  /** Its primary key. */
  readonly id: string;
  /** Its values, or a digest of them. */
  readonly value: string;
  /** When its tables had changed last, as it was compared last. */
  changed?: string | undefined;
  /** From then on, by the monotonic clock, it is compared again in any case. */
  trustedUntil: number;
}

/** A part that is not as it was; its value is undefined if the row is gone. */
export interface ChangedPart {
  readonly part: Part;
  readonly value: string | undefined;
}

/** When tables have changed last, by their names, as far as the database knows. */
export type Changes = ReadonlyMap<string, string>;

/** The questions about the parts of a table. */
export interface PartsOfTable {
  /** The packed columns of the whole, with the values of its parts behind them. */
  withValues(packed: string): string;
  /** Takes these apart. Without parts if a key is NULL. */
  read(data: Buffer): { row: Row; parts: Parts | undefined };
  /** The logins that have changed parts, with these parts. */
  changed<Made extends { parts: Parts }>(
    all: readonly Made[],
    changes: Changes,
  ): Promise<(readonly [Made, readonly ChangedPart[]])[]>;
  /** Rows without columns that are there as long as the whole is, by its primary key; undefined if no part has that key. */
  keys: string | undefined;
  /** The whole with these parts as they are now; null if it has to be read itself. */
  renewed(before: Parts, changed: readonly ChangedPart[]): Promise<{ row: Row; parts: Parts } | null>;
}

/** Undefined if the table is read as a whole: the database does not know when tables have changed. */
export function partsOf(
  table: LoginTable,
  { driver, database, charset, views }: OpenSite,
): PartsOfTable | undefined {
  const { parts } = table;
  const { changed: times, allOf, digestOfAll } = driver;
  if (!parts || !times || !allOf || !digestOfAll) return undefined;

  const names = Object.keys(table.columns);
  const keeper = rowKeeper(table);
  const quoted = (name: string) => `${driver.quote}${name}${driver.quote}`;
  const valuesOf = (isShort: true | undefined, columns: readonly string[]) =>
    (isShort ? allOf : digestOfAll)(columns.map(quoted));
  /** With a length before it. A digest has 64 digits. */
  const measured = (isShort: true | undefined, columns: readonly string[]) => {
    const value = valuesOf(isShort, columns);
    return isShort ? `LENGTH(${value}), ':', ${value}` : `'64:', ${value}`;
  };

  const readers = parts.map((part) => {
    const columns = Object.keys(part.columns);
    const id = quoted(part.id);
    const isBytes = Object.keys(part.of).some((key) => table.columns[key] === 'bytes');
    const select = (data: string, from: string) =>
      `SELECT ${isBytes ? id : driver.asText(id)}, ${data}, NULL FROM ${from} WHERE ${id}`;
    const { packed, from } = packedRows(driver, part, { charset, views });
    const compared = select(part.lines ? packed : valuesOf(part.short, columns), from);
    return {
      select,
      keys: select('NULL', from),
      async values(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
        const rows = await database.rows(compared, keys);
        if (!part.lines) return new Map(rows.map(({ id, data }) => [id, data?.toString('latin1') ?? '']));
        const lines = new Map(keys.map((key): [string, string[]] => [key, []]));
        for (const { id, data } of rows)
          lines.get(id)?.push(lineOf(textsOf(data && unpacked(data, columns))(columns[0] as string)));
        return new Map([...lines].map(([key, texts]) => [key, sorted(texts)]));
      },
    };
  });

  const rows = parts.flatMap((part, nth) =>
    Object.entries(part.of).map(([key, columns]) => {
      const own = Object.keys(part.columns);
      // Each is read as the column of the whole that it becomes.
      const kinds = own.map((name, n) => [name, table.columns[columns[n] as string] ?? 'text'] as const);
      const place = { ...part, columns: Object.fromEntries(kinds) };
      const { packed, from } = packedRows(driver, place, { charset, views });
      const select = readers[nth]?.select(`CONCAT(${packed}, ${measured(part.short, own)})`, from) ?? '';
      const read = batchLookups(async (keys) => {
        const found = await database.rows(select, keys);
        return new Map(found.map((row) => [row.id, row]));
      });
      return { ...part, nth, key, columns, read };
    }),
  );
  const valuesBehind = rows.map((_, at) => String(at));

  /** Undefined if the rows say it alone. */
  function changedLast(nth: number, changes: Changes): string | undefined {
    let all = '';
    for (const name of parts?.[nth]?.tables ?? ['']) {
      const one = changes.get(name);
      if (one === undefined) return undefined;
      all += `${one} `;
    }
    return all;
  }

  function madeOf(row: Row): Parts | undefined {
    const made: Part[] = [];
    for (const [at, { key, columns, lines, optional }] of rows.entries()) {
      const id = row[key];
      if (!id && optional) continue;
      if (!id) return undefined;
      const value = lines
        ? sorted(textsOf(row)(columns[0] as string).split('\n'))
        : (row[at]?.toString('latin1') ?? '');
      made.push({ at, id: id.toString('latin1'), value, trustedUntil: 0 });
    }
    return { data: keeper.keep(row), rows: made };
  }

  const own = parts.findIndex(({ of, lines }) => !lines && Object.hasOwn(of, table.id));
  return {
    keys: readers[own]?.keys,
    withValues: (packed) =>
      `CONCAT(${[packed, ...rows.map(({ lines, short, columns }) => (lines ? "'-'" : measured(short, columns)))].join(', ')})`,
    read(data) {
      // Asked for by themselves, the values could be those of a later change.
      const row = unpacked(data, [...names, ...valuesBehind]);
      return { row, parts: madeOf(row) };
    },
    async changed(all, changes) {
      const now = performance.now();
      const last = parts.map((_, nth) => changedLast(nth, changes));
      const lastOf = ({ at }: Part) => last[rows[at]?.nth as number];
      const isTrusted = (part: Part) =>
        part.changed !== undefined && part.changed === lastOf(part) && now < part.trustedUntil;
      const wanted = parts.map(() => new Set<string>());
      const compared = all.flatMap((made) => {
        const doubtful = made.parts.rows.filter((part) => !isTrusted(part));
        for (const { at, id } of doubtful) wanted[rows[at]?.nth as number]?.add(id);
        return doubtful.length === 0 ? [] : [{ made, doubtful }];
      });
      const values = await Promise.all(
        wanted.map((ids, nth) => together((keys) => (readers[nth] as Reader).values(keys), [...ids])),
      );
      // Logins that are compared together become due together.
      const trustedUntil = now + trustedFor * (0.5 + Math.random() / 2);
      const found: (readonly [(typeof all)[number], ChangedPart[]])[] = [];
      for (const { made, doubtful } of compared) {
        const differing: ChangedPart[] = [];
        for (const part of doubtful) {
          const value = values[rows[part.at]?.nth as number]?.get(part.id);
          if (value !== part.value) differing.push({ part, value });
          else {
            part.changed = lastOf(part);
            part.trustedUntil = trustedUntil;
          }
        }
        if (differing.length > 0) found.push([made, differing]);
      }
      return found;
    },
    async renewed(before, changed) {
      const row: Record<string, Buffer | null> = { ...keeper.row(before.data) };
      const keys = rows.map(({ key }) => String(row[key]));
      const values = new Map<Part, string>();
      const read = changed.map(async ({ part, value }) => {
        const { lines, columns, read } = rows[part.at] as (typeof rows)[number];
        if (lines && value !== undefined) {
          const own = lines === true ? '' : `${row[lines]} `;
          if (!value.split('\n').some((line) => line.startsWith(own))) return null;
          row[columns[0] as string] = Buffer.from(value);
          return values.set(part, value);
        }
        const answer = await read(part.id);
        if (!answer?.data) return null;
        const now = unpacked(answer.data, [...columns, '']);
        for (const name of columns) row[name] = now[name] ?? null;
        return values.set(part, now['']?.toString('latin1') ?? '');
      });
      if ((await Promise.all(read)).includes(null)) return null;
      // Another key is another row.
      if (rows.some(({ key }, n) => String(row[key]) !== keys[n])) return null;
      const made = before.rows.map((part) => {
        const value = values.get(part);
        return value === undefined ? part : { at: part.at, id: part.id, value, trustedUntil: 0 };
      });
      return { row, parts: { data: keeper.keep(row), rows: made } };
    },
  };
}

type Reader = { values(keys: readonly string[]): Promise<ReadonlyMap<string, string>> };

/** Lines in an order that does not depend on the database. */
const sorted = (lines: readonly string[]) => lines.toSorted().join('\n');
