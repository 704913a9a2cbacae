import type { Row, SiteTable } from './site-table.ts';
import type { SiteSql } from './sql.ts';

/** Returns the SQL that reads the columns of a table as one value, for `unpackRow`. */
export function packTable(
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

/** Unpacks a value of `SiteSql.packed`. */
export function unpackRow(data: Buffer, names: readonly string[]): Row {
  const row: Record<string, Buffer | null> = {};
  // record_send() starts with a 32-bit number of columns. Each has its type, its length (-1 for NULL) and its bytes.
  if (data[0] === 0) {
    let at = 4;
    for (const name of names) {
      const length = data.readInt32BE(at + 4);
      at += 8;
      row[name] = length < 0 ? null : Buffer.from(data.subarray(at, at + length));
      at += Math.max(0, length);
    }
    return row;
  }
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

/** Packs a row for `unpackRow`. */
export function packRow(row: Row, names: readonly string[]): Buffer {
  const values = names.flatMap((name) => {
    const value = row[name];
    return value ? [Buffer.from(`${value.length}:`), value] : [Buffer.from('-')];
  });
  return Buffer.concat(values);
}

const windows1252 = new TextDecoder('windows-1252');

/** Converts a text to the form in which a site stores it over a connection of that character set. */
export const encodeForColumn = (text: string, charset: 'utf8' | 'latin1') =>
  charset === 'latin1' ? windows1252.decode(Buffer.from(text)) : text;
