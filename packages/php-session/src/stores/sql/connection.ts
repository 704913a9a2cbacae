import { isAscii } from 'node:buffer';
import { Socket } from 'node:net';
import type { StoreUrl } from '../../source.ts';
import { StoreError } from '../../store.ts';
import { startDeadline } from '../deadline.ts';
import { Semaphore } from '../semaphore.ts';
import { type Database, failure, type Problems, type SqlRow } from './driver.ts';

export type Address = { host: string; port: number } | { path: string };

/** A database server, and how to log in to it. */
export interface SqlServer {
  /** The addresses of one database, tried in this order. */
  addresses: readonly Address[];
  user: string;
  password: string;
  database: string;
  /** The character set of PHP's connection; undefined if the URL does not say it. */
  charset: 'utf8' | 'latin1' | undefined;
  /** `ca`: certificates in PEM that replace those of the well-known authorities. */
  tls: { ca?: string } | undefined;
  /** Of one question, in milliseconds. */
  timeout: number;
}

/**
 * `//[USER[:PASSWORD]@]HOST[:PORT][,HOST…]/DATABASE`. Options:
 * - `socket=PATH` of a unix socket, which replaces the host;
 * - `tls=on`, and `ca=FILE` with the certificate of the site's own authority;
 * - `charset=utf8mb4` or `latin1`, that of PHP's connection: without it, text with more than ASCII is not read;
 * - `timeout=` of one look-up (default 250ms).
 * @throws TypeError that says what is wrong with the URL
 */
export function readServer(url: StoreUrl, defaultPort: number): SqlServer {
  const { options, user, password, hosts } = url;
  const database = /^\/([^\s;&='"\\/\0]+)$/.exec(url.path)?.[1];
  if (user === '') throw new TypeError('the store URL names no user: //USER:PASSWORD@HOST/DATABASE');
  if (database === undefined) throw new TypeError('the store URL names no database: //USER@HOST/DATABASE');
  const path = options.take('socket');
  if ((path === undefined) === (hosts.length === 0)) {
    throw new TypeError('the store URL names either a host or a socket=');
  }
  if (path !== undefined && !path.startsWith('/')) throw new TypeError('socket= is an absolute path');
  const tls = options.tls();
  if (tls !== undefined && path !== undefined) throw new TypeError('tls=on is not for a socket=');
  return {
    addresses:
      path === undefined ? hosts.map(({ host, port = defaultPort }) => ({ host, port })) : [{ path }],
    user,
    password,
    database,
    charset: charset(options.take('charset')),
    tls,
    timeout: options.timeout(),
  };
}

function charset(name: string | undefined): SqlServer['charset'] {
  if (name === undefined) return undefined;
  if (/^utf-?8(mb[34])?$/i.test(name)) return 'utf8';
  if (/^latin-?1$/i.test(name)) return 'latin1';
  throw new TypeError('charset= is utf8mb4 or latin1: that of PHP’s own connection');
}

/**
 * The look-ups of one moment go together, so one connection does the work. A second one helps if that is slow. Large
 * sessions are asked for apart, on a third.
 */
const mostConnections = 3;

/** A connection to a database server. It is asked one thing at a time. */
export interface SqlConnection extends Pick<Database, 'rows' | 'query' | 'search' | 'change'> {
  /** Ends it at once, and the question that is under way. */
  destroy(): void;
}

/** Connects the socket and logs in. It need not settle if the socket is destroyed meanwhile. */
export type Connect = (socket: Socket, address: Address) => Promise<SqlConnection>;

/**
 * Reads the rows that match these texts. A text with a character that the column's character set lacks matches no row, but
 * the database rejects the whole query. So the query is repeated with half of the texts, down to single ones.
 * @param isForeign whether this may be the reason of the error. The tables can be wrong in the same way, but every
 * character set has ASCII
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

type Question<T> = (connection: SqlConnection) => Promise<T>;

/** Ends a piece of work with the failure of the question that it belongs to. */
type Within = <T>(work: Promise<T>) => Promise<T>;

/**
 * The connections to one database. The libraries' own pools and timeouts leave a connection in use whose answer is
 * late, or a question without any. Here each question has a deadline, connecting included, and a connection that
 * missed one is never asked again.
 */
export class ConnectionPool implements Database {
  readonly timeout: number;
  readonly #addresses: readonly Address[];
  readonly #load: () => Promise<Connect>;
  readonly #problems: Problems;
  /** The address that is tried first: the one that answered last. */
  #preferred = 0;
  #idle: Open[] = [];
  readonly #slots = new Semaphore(mostConnections);
  /** Each question under way has one. */
  readonly #questions = new Set<AbortController>();
  #closed = false;

  /** @param load imports the client library @param problems the meanings of its error codes */
  constructor(
    { addresses, timeout }: Pick<SqlServer, 'addresses' | 'timeout'>,
    load: () => Promise<Connect>,
    problems: Problems,
  ) {
    this.timeout = timeout;
    this.#addresses = addresses;
    // Once: to find a module again costs more than a question for a row.
    let loaded: Promise<Connect> | undefined;
    this.#load = () => (loaded ??= load());
    this.#problems = problems;
  }

  rows(select: string, ids: readonly string[]): Promise<SqlRow[]> {
    return this.#inTime('read', (connection) => connection.rows(select, ids));
  }

  query(select: string): Promise<(string | null)[][]> {
    return this.#inTime('read', (connection) => connection.query(select));
  }

  search(...of: Parameters<Database['search']>): Promise<SqlRow[]> {
    return this.#inTime('read', (connection) => connection.search(...of));
  }

  change(update: string, id: string): Promise<void> {
    return this.#inTime('renew', (connection) => connection.change(update, id));
  }

  close(): void {
    this.#closed = true;
    for (const control of this.#questions) control.abort(new StoreError('the store was closed'));
    for (const { connection } of this.#idle) connection.destroy();
    this.#idle = [];
  }

  async #inTime<T>(wanted: 'read' | 'renew', question: Question<T>): Promise<T> {
    const connect = await this.#load();
    if (this.#closed) throw new StoreError('the store was closed');
    const control = new AbortController();
    const { signal } = control;
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
    aborted.catch(() => {});
    const answered = startDeadline(this.timeout, () =>
      control.abort(new StoreError(`the database did not answer within ${this.timeout} ms`)),
    );
    this.#questions.add(control);
    try {
      await this.#slots.acquire(signal);
      try {
        return await this.#ask(connect, (work) => Promise.race([work, aborted]), question);
      } finally {
        this.#slots.release();
      }
    } catch (error) {
      throw failure(error, this.#problems, wanted);
    } finally {
      answered();
      this.#questions.delete(control);
    }
  }

  async #ask<T>(connect: Connect, within: Within, question: Question<T>): Promise<T> {
    this.#idle = this.#idle.filter(({ socket }) => !socket.destroyed);
    const open = this.#idle.pop() ?? (await this.#open(connect, within));
    try {
      const answer = await within(question(open.connection));
      if (this.#closed) open.connection.destroy();
      else this.#idle.push(open);
      return answer;
    } catch (error) {
      open.connection.destroy();
      throw error;
    }
  }

  async #open(connect: Connect, within: Within): Promise<Open> {
    for (let tried = 0, at = this.#preferred; ; at = (at + 1) % this.#addresses.length) {
      const socket = new Socket();
      socket.on('error', () => {});
      try {
        const connection = await within(connect(socket, this.#addresses[at] as Address));
        this.#preferred = at;
        return { socket, connection };
      } catch (error) {
        socket.destroy();
        // This address took all the time, so the next question begins with the next address.
        if (error instanceof StoreError) this.#preferred = (at + 1) % this.#addresses.length;
        if (error instanceof StoreError || ++tried === this.#addresses.length) throw error;
      }
    }
  }
}
