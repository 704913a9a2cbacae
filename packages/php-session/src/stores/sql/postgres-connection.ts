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

/** The timeout of cancelling a question, in milliseconds. */
const cancelWithin = 1000;

/** `untranslatable_character`: the character set of the database lacks a character of the text. */
const isForeign = (code: unknown) => code === '22P05';

/** From the messages `ParameterStatus` and `BackendKeyData`, which come before the first query. */
interface Facts {
  serverEncoding?: string;
  key?: { processID: number; secretKey: number };
}

/** Text arrives as a string, bytea as a Buffer. */
type RawRow = [id: string | Buffer, data: string | Buffer | null, state: string | null];

/** Connects by pg. */
export function postgresConnect(server: SqlServer): Connect {
  return async (socket, address) => {
    const { client, facts } = await logIn(server, socket, address);
    // To compile a statement takes longer than the statement itself. PostgreSQL 10 has no such setting.
    await client.query("SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'jit'");
    return connection(client, socket, address, facts, server.charset);
  };
}

/**
 * Connects and logs in. It need not settle if the socket is destroyed meanwhile.
 * @throws pg's error, with a code
 */
export async function logIn(
  { user, password, database, tls }: SqlServer,
  socket: Socket,
  address: Address,
): Promise<{ client: Client; facts: Facts }> {
  // Without `rejectUnauthorized`, NODE_TLS_REJECT_UNAUTHORIZED could switch it off.
  const ssl = tls === undefined ? false : { ...tls, rejectUnauthorized: true };
  const protocol = new GuardedProtocol({ stream: () => socket, ssl });
  const facts = factsFrom(protocol);
  const config: ClientConfig & { connection: Protocol } = {
    connection: protocol,
    ...hostOf(address),
    user,
    // For an empty string, pg would look for a password in the environment and in ~/.pgpass.
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
  return { client, facts };
}

function connection(
  client: Client,
  socket: Socket,
  address: Address,
  { serverEncoding, key }: Facts,
  given: SqlServer['charset'],
): SqlConnection {
  // A database without an encoding sends the stored bytes; pg does not pass on those that are not UTF-8.
  const charset = serverEncoding === 'SQL_ASCII' ? 'utf8' : given;
  let asking = false;
  async function ask<Row extends (string | Buffer | null)[]>(
    text: string,
    values: unknown[],
  ): Promise<Row[]> {
    asking = true;
    const { rows } = await client.query<Row>({ text, values, rowMode: 'array' }).finally(() => {
      asking = false;
    });
    return rows;
  }
  async function read(text: string, values: unknown[]): Promise<SqlRow[]> {
    return (await ask<RawRow>(text, values)).map(([id, data, state]) => ({
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
    rows: (select, ids) => readComparable(ids, (some) => read(`${select} = ANY ($1)`, [some]), isForeign),
    async query(select) {
      const rows = await ask(select, []);
      return rows.map((row) => row.map((value) => (value === null ? null : String(value))));
    },
    // An index on lower() is the usual one for this.
    search: (select, column, pattern, limit) =>
      readComparable(
        [pattern],
        (values) =>
          read(`${select} WHERE lower(${column}) LIKE lower($1) ESCAPE '${likeEscape}' LIMIT ${limit}`, [
            ...values,
          ]),
        isForeign,
      ),
    async change(update, id) {
      await ask(update, [id, [id, `\\x${Buffer.from(id).toString('hex')}`]]);
    },
    destroy() {
      if (asking && key !== undefined) cancel(address, key);
      socket.destroy();
    },
  };
}

/** pg's parser throws for unknown messages where nobody could catch it. Here that ends the connection. */
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
    // pg's types leave this method out.
    (Protocol.prototype as unknown as GuardedProtocol).attachListeners.call(
      this,
      guarded as unknown as Socket,
    );
  }
}

function factsFrom(protocol: Protocol): Facts {
  const facts: Facts = {};
  protocol.on('backendKeyData', (key: NonNullable<Facts['key']>) => {
    facts.key = key;
  });
  protocol.on('parameterStatus', (status: { parameterName: string; parameterValue: string }) => {
    if (status.parameterName === 'server_encoding') facts.serverEncoding = status.parameterValue;
  });
  return facts;
}

/** pg makes the path of a unix socket from its folder and the port. */
function hostOf(address: Address): { host: string; port: number } {
  if ('host' in address) return address;
  const [, host = '', port] = /^(.*)\/\.s\.PGSQL\.(\d+)$/.exec(address.path) ?? [];
  return { host, port: Number(port) };
}

/**
 * A server notices only at its answer that nobody waits for it any more. Until then, for example behind an ALTER TABLE,
 * it would keep each connection that was given up, and soon have none left for the site.
 */
function cancel(address: Address, { processID, secretKey }: NonNullable<Facts['key']>): void {
  // `CancelRequest`: its length, its code, and the connection it is for.
  const request = Buffer.alloc(16);
  for (const [n, value] of [16, 80_877_102, processID, secretKey].entries())
    request.writeInt32BE(value, 4 * n);
  const socket = connectSocket(address);
  socket.on('error', () => {});
  socket.setTimeout(cancelWithin, () => socket.destroy());
  socket.end(request);
}
