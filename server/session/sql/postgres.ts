import { Connections } from './connections.ts';
import type { SqlDriver } from './driver.ts';
import type { Problems } from './failures.ts';
import { readServer } from './server-url.ts';

/** SQLSTATEs: PostgreSQL's errcodes.txt. */
const problems: Problems = {
  '28P01': 'login',
  '28000': 'origin',
  '3D000': 'database',
  '42501': 'permission',
  '42P01': 'table',
  '3F000': 'table',
  '42703': 'column',
  '22P02': 'type',
  '42804': 'type',
  '42883': 'type',
  '53300': 'full',
  '57P01': 'starting',
  '57P02': 'starting',
  '57P03': 'starting',
  '57014': 'late',
  '55P03': 'late',
  // Of postgres-connection.ts, for what pg gives no code.
  NO_PASSWORD: 'login',
  NO_TLS: 'plain',
};

const utc = (ago: number) => `((now() AT TIME ZONE 'UTC') - interval '${ago} seconds')`;

/** `postgres:` and `postgresql:`. The default port is 5432; `socket=` ends in `/.s.PGSQL.PORT`. */
export const postgres: SqlDriver = {
  quote: '"',
  // This makes a text without the blanks of a CHAR, too.
  start: (column, length) => `substring(${column} from 1 for ${length})`,
  value: (_, column) => column,
  moment: (unit, ago) =>
    ({
      unix: `(extract(epoch from now()) - ${ago})`,
      // Compared with a TIMESTAMP without time zone, it is taken to that of the connection.
      datetime: `(now() - interval '${ago} seconds')`,
      utc: utc(ago),
      digits: `to_char(${utc(ago)}, 'YYYYMMDDHH24MISS')`,
    })[unit],
  locate(url) {
    const server = readServer(url, 5432);
    if (server.addresses.some((address) => 'path' in address && !/\/\.s\.PGSQL\.\d+$/.test(address.path))) {
      throw new TypeError(
        'socket= of PostgreSQL is the path of the socket itself, which ends in /.s.PGSQL.5432',
      );
    }
    const load = async () => (await import('./postgres-connection.ts')).postgresConnect(server);
    return () => new Connections({ ...server, load, problems });
  },
};
