import type { StoreListener } from '../../store.ts';
import { keepSubscribed } from '../subscription.ts';
import { ConnectionPool, readServer } from './connection.ts';
import type { Problems, SqlDriver } from './driver.ts';

/** SQLSTATEs of PostgreSQL's errcodes.txt, and codes of postgres-connection.ts. */
const problems: Problems = {
  '28P01': 'login',
  '28000': 'origin',
  '3D000': 'database',
  '42501': 'permission',
  '42P01': 'table',
  '3F000': 'table',
  '42703': 'column',
  '22P02': 'type',
  '22003': 'type',
  '42804': 'type',
  '42883': 'type',
  '25006': 'unwritable',
  '55000': 'unwritable',
  '53300': 'full',
  '57P01': 'starting',
  '57P02': 'starting',
  '57P03': 'starting',
  '57014': 'late',
  '55P03': 'late',
  NO_PASSWORD: 'login',
  NO_TLS: 'plain',
};

/** Returns `seconds`, or `Infinity` for a time of `infinity`. */
const ifFinite = (column: string, seconds: string) =>
  `CASE WHEN isfinite(${column}) THEN ${seconds} ELSE 'Infinity' END`;
const utc = (ago: number) => `((now() AT TIME ZONE 'UTC') - interval '${ago} seconds')`;

/** Converts `YYYYMMDDHHMMSS`. Unlike to_timestamp(), it accepts the 43rd of a month, so it never fails. */
const fromDigits = (column: string) => {
  const part = (at: number, length: number) => `substr(${column}, ${at}, ${length})::int`;
  const [month, day] = [`${part(5, 2)} - 1`, `${part(7, 2)} - 1`];
  const time = [part(9, 2), part(11, 2), part(13, 2)].join(', ');
  return `(timestamp '0001-01-01' + make_interval(${part(1, 4)} - 1, ${month}, 0, ${day}, ${time}))`;
};

/** Converts a column of any type to bytes. For a `bytea`, only record_send() type-checks with every column type. */
const storedBytes = (column: string) =>
  `CASE pg_typeof(${column}) WHEN 'bytea'::regtype THEN record_send(ROW(${column})) ELSE convert_to(${column}::text, getdatabaseencoding()) END`;

/** `postgres:` and `postgresql:`. The default port is 5432; `socket=` ends in `/.s.PGSQL.PORT`. */
export const postgres: SqlDriver = {
  quote: '"',
  // Also removes the padding of a CHAR.
  start: (column, length) => `substring(${column} from 1 for ${length})`,
  bytes: (column) => `octet_length(${column})`,
  digest: (column) => `encode(sha256(${storedBytes(column)}), 'hex')`,
  value: (_, column) => column,
  moment: (unit, ago) =>
    ({
      unix: `(extract(epoch from now()) - ${ago})`,
      // PostgreSQL converts it to the connection's time zone to compare it with a TIMESTAMP without time zone.
      datetime: `(now() - interval '${ago} seconds')`,
      utc: utc(ago),
      digits: `to_char(${utc(ago)}, 'YYYYMMDDHH24MISS')`,
    })[unit],
  until: (unit, column) =>
    `(${
      {
        unix: `${column} - extract(epoch from now())`,
        datetime: ifFinite(column, `extract(epoch from (${column} - now()))`),
        utc: ifFinite(column, `extract(epoch from (${column} - ${utc(0)}))`),
        digits: `CASE WHEN ${column} ~ '^[0-9]{14}$' THEN extract(epoch from (${fromDigits(column)} - ${utc(0)})) END`,
      }[unit]
    })::text`,
  // The first condition uses the index. The second compares bytes, as text or as hexadecimal digits.
  exactly: (column) => `${column} = $1 AND ${column}::text COLLATE "C" = ANY ($2)`,
  update: (table, assignment, condition) =>
    `UPDATE ${table} SET ${assignment} WHERE ${condition} AND EXISTS (SELECT 1 FROM ${table} WHERE ${condition} FOR NO KEY UPDATE SKIP LOCKED)`,
  locate(url) {
    const server = readServer(url, 5432);
    if (server.addresses.some((address) => 'path' in address && !/\/\.s\.PGSQL\.\d+$/.test(address.path))) {
      throw new TypeError(
        'socket= of PostgreSQL must be the path of the socket itself, which ends in /.s.PGSQL.5432',
      );
    }
    const load = async () => (await import('./postgres-connection.ts')).postgresConnect(server);
    const subscribe = (listener: StoreListener) => {
      const listen = import('./notifications.ts').then((module) => module.postgresListen(server, problems));
      return keepSubscribed(async (sink) => (await listen)(sink), listener);
    };
    return () => Object.assign(new ConnectionPool(server, load, problems), { subscribe });
  },
};
