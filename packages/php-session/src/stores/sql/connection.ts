import { isAscii } from 'node:buffer';
import { Socket } from 'node:net';
import type { StoreUrl } from '../../source.ts';
import { StoreError } from '../../store.ts';
import { startDeadline } from '../deadline.ts';
import { Semaphore } from '../semaphore.ts';
import { type Database, type Problems, type SqlRow, toStoreError } from './driver.ts';

export type Address = { host: string; port: number } | { path: string };

export interface SqlServer {
  /** The addresses of one database, in the order of connection attempts. */
  addresses: readonly Address[];
  user: string;
  password: string;
  database: string;
  /** The character set of PHP's connection, if known. */
  charset: 'utf8' | 'latin1' | undefined;
  /** `ca`: PEM certificates that replace the well-known authorities. */
  tls: { ca?: string } | undefined;
  timeoutMs: number;
}

/**
 * Reads the address of a database server, `//[USER[:PASSWORD]@]HOST[:PORT][,HOST…]/DATABASE`. Options:
 * - `socket=PATH` of a Unix socket, instead of a host;
 * - `tls=on`, and `ca=FILE` with the certificate of the site's own authority;
 * - `charset=utf8mb4` or `latin1`, as in PHP's connection. Without it non-ASCII text is rejected;
 * - `timeout=` of one query (default 250ms).
 * @throws TypeError with the fault
 */
export function readServer(url: StoreUrl, defaultPort: number): SqlServer {
  const { options, user, password, hosts } = url;
  const database = /^\/([^\s;&='"\\/\0]+)$/.exec(url.path)?.[1];
  if (user === '') throw new TypeError('the URL must name a user, as in //USER:PASSWORD@HOST/DATABASE');
  if (database === undefined) throw new TypeError('the URL must name a database, as in //USER@HOST/DATABASE');
  const path = options.take('socket');
  if ((path === undefined) === (hosts.length === 0)) {
    throw new TypeError('the URL must have either a host or socket=');
  }
  if (path !== undefined && !path.startsWith('/')) throw new TypeError('socket= must be an absolute path');
  const tls = options.tls();
  if (tls !== undefined && path !== undefined) throw new TypeError('tls=on cannot be used with socket=');
  return {
    addresses:
      path === undefined ? hosts.map(({ host, port = defaultPort }) => ({ host, port })) : [{ path }],
    user,
    password,
    database,
    charset: readCharset(options.take('charset')),
    tls,
    timeoutMs: options.timeout(),
  };
}

function readCharset(name: string | undefined): SqlServer['charset'] {
  if (name === undefined) return undefined;
  if (/^utf-?8(mb[34])?$/i.test(name)) return 'utf8';
  if (/^latin-?1$/i.test(name)) return 'latin1';
  throw new TypeError('charset= must be utf8mb4 or latin1, as in PHP’s own connection');
}

/** Lookups are batched, so one connection is usually enough. More help during slow queries and large sessions. */
const maxConnections = 3;

/** A connection to a database server, for one query at a time. */
export interface SqlConnection extends Pick<Database, 'rows' | 'query' | 'search' | 'change'> {
  /** Closes the connection at once. A running query fails. */
  destroy(): void;
}

/** Connects the socket and logs in. The promise may never settle if the socket is destroyed. */
export type Connect = (socket: Socket, address: Address) => Promise<SqlConnection>;

/**
 * Reads the rows that match these texts. If a text has a character that the column's character set lacks, the database
 * rejects the whole query. So the query is repeated with halves of the texts, and a single rejected text has no row.
 * @param isForeign returns whether a code may mean a missing character. The tables themselves may also cause it, so an
 * error with ASCII texts alone is thrown.
 */
export async function readComparable(
  texts: readonly string[],
  read: (texts: readonly string[]) => Promise<SqlRow[]>,
  isForeign: (code: unknown) => boolean,
): Promise<SqlRow[]> {
  try {
    return await read(texts);
  } catch (error) {
    if (!isForeign((error as { code?: unknown }).code) || texts.every((text) => isAscii(Buffer.from(text))))
      throw error;
    if (texts.length === 1) return [];
    const half = Math.ceil(texts.length / 2);
    const first = await readComparable(texts.slice(0, half), read, isForeign);
    return [...first, ...(await readComparable(texts.slice(half), read, isForeign))];
  }
}

interface Open {
  socket: Socket;
  connection: SqlConnection;
}

type Query<T> = (connection: SqlConnection) => Promise<T>;

/** Rejects a pending promise when the query is aborted. */
type OrAborted = <T>(work: Promise<T>) => Promise<T>;

/**
 * The connections to one database. The pools of the client libraries reuse a connection with a late reply, and their
 * queries may never settle. Here each query has a deadline, including the connection setup, and a late connection is closed.
 */
export class ConnectionPool implements Database {
  readonly timeoutMs: number;
  readonly #addresses: readonly Address[];
  readonly #load: () => Promise<Connect>;
  readonly #problems: Problems;
  /** The index of the address to try first. */
  #preferred = 0;
  #idle: Open[] = [];
  readonly #slots = new Semaphore(maxConnections);
  readonly #running = new Set<AbortController>();
  #closed = false;

  /** @param load imports the client library */
  constructor(
    { addresses, timeoutMs }: Pick<SqlServer, 'addresses' | 'timeoutMs'>,
    load: () => Promise<Connect>,
    problems: Problems,
  ) {
    this.timeoutMs = timeoutMs;
    this.#addresses = addresses;
    // Cached, because another import() of the same module costs more than reading a row.
    let loaded: Promise<Connect> | undefined;
    this.#load = () => (loaded ??= load());
    this.#problems = problems;
  }

  rows(select: string, ids: readonly string[]): Promise<SqlRow[]> {
    return this.#run('read', (connection) => connection.rows(select, ids));
  }

  query(select: string): Promise<(string | null)[][]> {
    return this.#run('read', (connection) => connection.query(select));
  }

  search(...of: Parameters<Database['search']>): Promise<SqlRow[]> {
    return this.#run('read', (connection) => connection.search(...of));
  }

  change(update: string, id: string): Promise<void> {
    return this.#run('renew', (connection) => connection.change(update, id));
  }

  close(): void {
    this.#closed = true;
    for (const control of this.#running) control.abort(new StoreError('the store was closed'));
    for (const { connection } of this.#idle) connection.destroy();
    this.#idle = [];
  }

  async #run<T>(operation: 'read' | 'renew', query: Query<T>): Promise<T> {
    const connect = await this.#load();
    if (this.#closed) throw new StoreError('the store was closed');
    const control = new AbortController();
    const { signal } = control;
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
    aborted.catch(() => {});
    const cancelDeadline = startDeadline(this.timeoutMs, () =>
      control.abort(new StoreError(`the database did not answer within ${this.timeoutMs} ms`)),
    );
    this.#running.add(control);
    try {
      await this.#slots.acquire(signal);
      try {
        return await this.#query(connect, (work) => Promise.race([work, aborted]), query);
      } finally {
        this.#slots.release();
      }
    } catch (error) {
      throw toStoreError(error, this.#problems, operation);
    } finally {
      cancelDeadline();
      this.#running.delete(control);
    }
  }

  async #query<T>(connect: Connect, orAborted: OrAborted, query: Query<T>): Promise<T> {
    this.#idle = this.#idle.filter(({ socket }) => !socket.destroyed);
    const open = this.#idle.pop() ?? (await this.#open(connect, orAborted));
    try {
      const result = await orAborted(query(open.connection));
      if (this.#closed) open.connection.destroy();
      else this.#idle.push(open);
      return result;
    } catch (error) {
      open.connection.destroy();
      throw error;
    }
  }

  async #open(connect: Connect, orAborted: OrAborted): Promise<Open> {
    for (let failures = 0, index = this.#preferred; ; index = (index + 1) % this.#addresses.length) {
      const socket = new Socket();
      socket.on('error', () => {});
      try {
        const connection = await orAborted(connect(socket, this.#addresses[index] as Address));
        this.#preferred = index;
        return { socket, connection };
      } catch (error) {
        socket.destroy();
        // The deadline passed at this address, so the next query starts with the next address.
        if (error instanceof StoreError) this.#preferred = (index + 1) % this.#addresses.length;
        if (error instanceof StoreError || ++failures === this.#addresses.length) throw error;
      }
    }
  }
}
