import { isAscii } from 'node:buffer';
import { connect as connectSocket, type Socket } from 'node:net';
import { Client, type ClientConfig, Connection as Protocol } from 'pg';
import {
  type Address,
  type Connect,
  readComparable,
  type SqlConnection,
  type SqlServer,
} from './connection.ts';
import { likeEscape, type SqlRow } from './driver.ts';

const cancelTimeoutMs = 1000;

/** Whether the error is `untranslatable_character`. The character set of the database lacks a character of the text. */
const lacksCharacter = (code: unknown) => code === '22P05';

/** Data of the messages `ParameterStatus` and `BackendKeyData`, which arrive before the first query. */
interface ServerInfo {
  serverEncoding?: string;
  key?: { processID: number; secretKey: number };
}

/** Text arrives as a string, bytea as a Buffer. */
type RawRow = [id: string | Buffer, data: string | Buffer | null, state: string | null];

/** Connects with pg. */
export function postgresConnect(server: SqlServer): Connect {
  return async (socket, address) => {
    const { client, info } = await logIn(server, socket, address);
    // JIT compilation of a statement takes longer than running it. PostgreSQL 10 does not have this setting.
    await client.query("SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'jit'");
    return connection(client, socket, address, info, server.charset);
  };
}

/**
 * Connects and logs in. The promise may never settle if the socket is destroyed.
 * @throws pg's error
 */
export async function logIn(
  { user, password, database, tls }: SqlServer,
  socket: Socket,
  address: Address,
): Promise<{ client: Client; info: ServerInfo }> {
  // Without `rejectUnauthorized`, the environment variable NODE_TLS_REJECT_UNAUTHORIZED could disable the check.
  const ssl = tls === undefined ? false : { ...tls, rejectUnauthorized: true };
  const protocol = new GuardedProtocol({ stream: () => socket, ssl });
  const info = collectInfo(protocol);
  const config: ClientConfig & { connection: Protocol } = {
    connection: protocol,
    ...hostOf(address),
    user,
    // A function, because pg replaces an empty string by the environment or ~/.pgpass.
    password: () => password,
    database,
    ssl,
  };
  const client = new Client(config);
  client.on('error', () => socket.destroy());
  await client.connect().catch((error: Error & { code?: string }) => {
    if (error.message.startsWith('SASL')) error.code = 'NO_PASSWORD';
    if (error.message.includes('not support SSL')) error.code = 'NO_TLS';
    throw error;
  });
  return { client, info };
}

function connection(
  client: Client,
  socket: Socket,
  address: Address,
  { serverEncoding, key }: ServerInfo,
  given: SqlServer['charset'],
): SqlConnection {
  // A database without an encoding sends the stored bytes, and pg replaces bytes that are not UTF-8.
  const charset = serverEncoding === 'SQL_ASCII' ? 'utf8' : given;
  let isRunning = false;
  async function run<Row extends (string | Buffer | null)[]>(
    text: string,
    values: unknown[],
  ): Promise<Row[]> {
    isRunning = true;
    const { rows } = await client.query<Row>({ text, values, rowMode: 'array' }).finally(() => {
      isRunning = false;
    });
    return rows;
  }
  async function read(text: string, values: unknown[]): Promise<SqlRow[]> {
    return (await run<RawRow>(text, values)).map(([id, data, state]) => ({
      id: String(id),
      data: typeof data === 'string' ? Buffer.from(data, charset ?? 'utf8') : data,
      state,
      exact:
        typeof data !== 'string' ||
        isAscii(Buffer.from(data)) ||
        (charset !== undefined && !data.includes('\ufffd')),
    }));
  }
  return {
    rows: (select, ids) =>
      readComparable(ids, (some) => read(`${select} = ANY ($1)`, [some]), lacksCharacter),
    async query(select) {
      const rows = await run(select, []);
      return rows.map((row) => row.map((value) => (value === null ? null : String(value))));
    },
    // Sites usually index lower() for such searches.
    search: (select, column, pattern, limit) =>
      readComparable(
        [pattern],
        (values) =>
          read(`${select} WHERE lower(${column}) LIKE lower($1) ESCAPE '${likeEscape}' LIMIT ${limit}`, [
            ...values,
          ]),
        lacksCharacter,
      ),
    async change(update, id) {
      await run(update, [id, [id, `\\x${Buffer.from(id).toString('hex')}`]]);
    },
    destroy() {
      if (isRunning && key !== undefined) cancel(address, key);
      socket.destroy();
    },
  };
}

/** Closes the connection on unknown messages. pg's parser would throw in a socket listener. */
class GuardedProtocol extends Protocol {
  attachListeners(stream: Socket): void {
    const guarded = {
      on: (event: string, listener: (...args: unknown[]) => void) =>
        stream.on(event, (...args) => {
          try {
            listener(...args);
          } catch (error) {
            stream.destroy(error as Error);
          }
        }),
    };
    // pg's types omit this method.
    (Protocol.prototype as unknown as GuardedProtocol).attachListeners.call(
      this,
      guarded as unknown as Socket,
    );
  }
}

function collectInfo(protocol: Protocol): ServerInfo {
  const info: ServerInfo = {};
  protocol.on('backendKeyData', (key: NonNullable<ServerInfo['key']>) => {
    info.key = key;
  });
  protocol.on('parameterStatus', (status: { parameterName: string; parameterValue: string }) => {
    if (status.parameterName === 'server_encoding') info.serverEncoding = status.parameterValue;
  });
  return info;
}

/** Returns the host and port for pg, which expects the folder and the port of a Unix socket. */
function hostOf(address: Address): { host: string; port: number } {
  if ('host' in address) return address;
  const [, host = '', port] = /^(.*)\/\.s\.PGSQL\.(\d+)$/.exec(address.path) ?? [];
  return { host, port: Number(port) };
}

/**
 * Cancels the query of an abandoned connection. The server detects a closed connection only when it replies, so queries
 * that wait, for example for an ALTER TABLE, would soon occupy all connections.
 */
function cancel(address: Address, { processID, secretKey }: NonNullable<ServerInfo['key']>): void {
  // `CancelRequest`: length, code, process ID and key of the connection.
  const request = Buffer.alloc(16);
  for (const [n, value] of [16, 80_877_102, processID, secretKey].entries())
    request.writeInt32BE(value, 4 * n);
  const socket = connectSocket(address);
  socket.on('error', () => {});
  socket.setTimeout(cancelTimeoutMs, () => socket.destroy());
  socket.end(request);
}
