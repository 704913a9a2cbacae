import type { LoginTable, Row, SiteTable } from './application.ts';
import type { SiteSql } from './sql.ts';

/** A table whose columns come as one value. */
export function packedRows(
  driver: SiteSql,
  { view, select, columns }: SiteTable,
  { charset, views }: { charset: 'utf8' | 'latin1'; views: boolean },
): { packed: string; from: string } {
  const quoted = (name: string) => `${driver.quote}${name}${driver.quote}`;
  const values = Object.entries(columns).map(([name, is]) => ({ sql: quoted(name), is }));
  return {
    packed: driver.packed(values, charset === 'latin1' ? 'latin1' : undefined),
    from: views ? quoted(view) : `(${select}) AS ${quoted(view)}`,
  };
}

/** Takes `SiteSql.packed` apart. */
export function unpacked(data: Buffer, names: readonly string[]): Row {
  const row: Record<string, Buffer | null> = {};
  let at = 0;
  for (const name of names) {
    if (data[at] === 0x2d) {
      row[name] = null;
      at++;
      continue;
    }
    const colon = data.indexOf(0x3a, at);
    const length = Number(data.toString('latin1', at, colon));
    row[name] = Buffer.from(data.subarray(colon + 1, colon + 1 + length));
    at = colon + 1 + length;
  }
  return row;
}

/** A row in little memory. */
export interface KeptRow {
  readonly own: Buffer;
  readonly common: Buffer;
}

/** Keeps rows of logins: what is the same for all of them once. */
export function rowKeeper({ columns, common = [] }: Pick<LoginTable, 'columns' | 'common'>) {
  const own = Object.keys(columns).filter((name) => !common.includes(name));
  let last = Buffer.alloc(0);
  return {
    keep(row: Row): KeptRow {
      const now = packedRow(row, common);
      if (!now.equals(last)) last = now;
      return { own: packedRow(row, own), common: last };
    },
    row: (kept: KeptRow): Row => ({ ...unpacked(kept.own, own), ...unpacked(kept.common, common) }),
  };
}

/** The form that `unpacked` takes apart. */
function packedRow(row: Row, names: readonly string[]): Buffer<ArrayBuffer> {
  const parts = names.flatMap((name) => {
    const value = row[name];
    return value ? [Buffer.from(`${value.length}:`), value] : [Buffer.from('-')];
  });
  return Buffer.concat(parts);
}

const windows1252 = new TextDecoder('windows-1252');

/** Returns a text as a site stores it over a connection of that character set. */
export const forColumn = (text: string, charset: 'utf8' | 'latin1') =>
  charset === 'latin1' ? windows1252.decode(Buffer.from(text)) : text;
