import { isAscii } from 'node:buffer';
import type { Socket } from 'node:net';
import { type Connection as Client, createConnection, type FieldPacket, type RowDataPacket } from 'mysql2';
import { StoreError } from '../../store.ts';
import { type Connect, readComparable, type SqlConnection, type SqlServer } from './connection.ts';
import { likeEscape, type SqlRow } from './driver.ts';

/** The number of the character set `binary`, which columns of bytes have. */
const binary = 63;

/** “Illegal mix of collations”. The column's character set lacks a character of the text. */
const lacksCharacter = (code: unknown) => /^ER_CANT_AGGREGATE_[23N]COLLATIONS$/.test(String(code));

/** Connects with mysql2. */
export function mysqlConnect(server: SqlServer): Connect {
  return async (socket, address) => {
    socket.setNoDelay(true);
    socket.connect(address);
    const client = createConnection({
      ...('host' in address ? address : {}),
      stream: socket,
      user: server.user,
      password: server.password,
      database: server.database,
      // The character set in which the server sends text.
      charset: server.charset === 'latin1' ? 'LATIN1_SWEDISH_CI' : 'UTF8MB4_UNICODE_CI',
      // Without `verifyIdentity`, mysql2 accepts the certificate of any host.
      ...(server.tls === undefined
        ? {}
        : { ssl: { ...server.tls, rejectUnauthorized: true, verifyIdentity: true } }),
      // The caller has a deadline.
      connectTimeout: 0,
      disableEval: true,
      // Otherwise the server could request a file of this machine.
      flags: ['-LOCAL_FILES'],
    });
    client.on('error', () => socket.destroy());
    await new Promise<void>((resolve, reject) =>
      client.connect((error) => (error === null ? resolve() : reject(error))),
    );
    return configure(client, socket, server);
  };
}

async function configure(
  client: Client,
  socket: Socket,
  { charset, timeoutMs }: SqlServer,
): Promise<SqlConnection> {
  // The server may change the character set of the handshake, by `init_connect` or `skip-character-set-client-handshake`.
  await execute(
    client,
    `SET NAMES ${charset === 'latin1' ? 'latin1 COLLATE latin1_swedish_ci' : 'utf8mb4 COLLATE utf8mb4_unicode_ci'}`,
  );
  // Without autocommit each SELECT would see the snapshot of the first one. An SQL mode may pad IDs with blanks, and a limit
  // may drop rows or parts of a list, or reject joins and updates. The timeouts are in comments that only MariaDB or only
  // MySQL reads.
  await execute(
    client,
    `SET autocommit = 1, sql_mode = '', sql_select_limit = 18446744073709551615, sql_big_selects = 1, sql_safe_updates = 0, sql_auto_is_null = 0, group_concat_max_len = 1048576 /*M!100101 , max_statement_time = ${timeoutMs / 1000} */ /*!50708 , max_execution_time = ${timeoutMs} */`,
  );
  async function read(sql: string, values: readonly string[]): Promise<SqlRow[]> {
    const { rows, fields } = await select(client, sql, values);
    const exact = charset !== undefined || fields[1]?.characterSet === binary;
    return rows.map(([id = null, data = null, state = null]) => ({
      id: String(id),
      // A view would keep the whole reply in memory.
      data: data && Buffer.from(data),
      state: state && String(state),
      exact: exact || data === null || isAscii(data),
    }));
  }
  return {
    rows: (select, ids) =>
      readComparable(
        ids,
        (some) => {
          // Powers of two, so that few statements are prepared.
          const size = 2 ** Math.ceil(Math.log2(some.length));
          const values = [...some, ...Array<string>(size - some.length).fill(some[0] as string)];
          return read(`${select} IN (${values.map(() => '?').join(', ')})`, values);
        },
        lacksCharacter,
      ),
    async query(sql) {
      const { rows } = await select(client, sql);
      return rows.map((row) => row.map((value) => value && String(value)));
    },
    search: (select, column, pattern, limit) =>
      readComparable(
        [pattern],
        (values) => read(`${select} WHERE ${column} LIKE ? ESCAPE '${likeEscape}' LIMIT ${limit}`, values),
        lacksCharacter,
      ),
    async change(update, id) {
      try {
        await execute(client, update, [id, id]);
      } catch (error) {
        // The page that locked the row renews it anyway.
        if ((error as { code?: unknown }).code !== 'ER_LOCK_WAIT_TIMEOUT') throw error;
      }
    },
    destroy: () => socket.destroy(),
  };
}

async function select(client: Client, sql: string, values?: readonly string[]) {
  const [rows, fields] = await execute(client, sql, values);
  // Other statements than SELECT return an object.
  if (!Array.isArray(rows)) throw new StoreError('the database sent an unexpected reply');
  return { rows: rows as (Buffer | null)[][], fields };
}

function execute(
  client: Client,
  sql: string,
  values: readonly string[] = [],
): Promise<[rows: unknown, fields: FieldPacket[]]> {
  return new Promise((resolve, reject) =>
    client.execute<RowDataPacket[]>(
      { sql, values: [...values], typeCast: false, rowsAsArray: true },
      (error, rows, fields) => (error === null ? resolve([rows, fields]) : reject(error)),
    ),
  );
}
