import { expect, onTestFinished } from 'vitest';
import { type ChatClient, connectChat } from './chat-client.ts';
import { chatServerHere } from './chat-here.ts';
import type { ModelRequest } from './chat-model.ts';
import { historyFolder, nextChatServer, type RunningChat } from './chat-server.ts';
import type { Outcome } from './explain.ts';
import { mariadbDatabase, postgresDatabase } from './history-database.ts';
import { startMariadb } from './mariadb.ts';
import { startPostgres } from './postgres.ts';
import { toModelResponse } from './room-views.ts';

/** A history, and the servers that share it. */
export interface Site {
  /** The environment of each server. */
  servers: NodeJS.ProcessEnv[];
  /**
   * Finds the database sessions of a killed server, which may still commit. Returns a function that waits for their
   * end.
   */
  findSessions(server: number): Promise<() => Promise<void>>;
}

/** Opens an SQLite history for one server. */
export async function openSqliteSite(): Promise<Site> {
  const history = historyFolder();
  onTestFinished(() => history.remove());
  const servers = [{ CHAT_HISTORY: history.url, CHAT_FILES: history.files }];
  return { servers, findSessions: async () => async () => {} };
}

export async function openPostgresSite(): Promise<Site> {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.remove());
  const database = await postgresDatabase(postgres);
  onTestFinished(() => database.close());
  return openCluster(database.url, {
    cluster: 'postgres',
    query: (sql) => postgres.query(sql),
    createLogin: (login) => [
      `CREATE ROLE ${login} LOGIN PASSWORD 'secret' IN ROLE site`,
      `ALTER ROLE ${login} SET role TO site`,
    ],
    selectSessions: (login) => `SELECT pid AS id FROM pg_stat_activity WHERE usename = '${login}'`,
  });
}

export async function openMariadbSite(): Promise<Site> {
  const mariadb = await startMariadb();
  onTestFinished(() => mariadb.remove());
  const database = await mariadbDatabase(mariadb);
  onTestFinished(() => database.close());
  const name = new URL(database.url).pathname.slice(1);
  return openCluster(database.url, {
    cluster: 'mysql',
    query: (sql) => mariadb.query(sql),
    createLogin: (login) => [
      `CREATE USER ${login}@'%' IDENTIFIED BY 'secret'`,
      `GRANT ALL ON ${name}.* TO ${login}@'%'`,
    ],
    selectSessions: (login) => `SELECT id FROM information_schema.processlist WHERE user = '${login}'`,
  });
}

/** Opens a history for two servers. Each has its own login, which tells their database sessions apart. */
async function openCluster(
  url: string,
  database: {
    cluster: string;
    query(sql: string): Promise<Record<string, unknown>[]>;
    createLogin(login: string): string[];
    selectSessions(login: string): string;
  },
): Promise<Site> {
  const files = historyFolder();
  onTestFinished(() => files.remove());
  const logins = ['server_one', 'server_two'];
  for (const login of logins) {
    for (const sql of database.createLogin(login)) await database.query(sql);
  }
  return {
    servers: logins.map((login) => ({
      CHAT_HISTORY: url.replace(/\/\/.*@/, `//${login}:secret@`),
      CHAT_FILES: files.files,
      CHAT_CLUSTER: database.cluster,
      CHAT_NODE: login,
    })),
    async findSessions(server) {
      const read = async () =>
        (await database.query(database.selectSessions(logins[server] as string))).map(({ id }) => Number(id));
      const left = await read();
      // The restarted server has database sessions of its own, which do not count.
      const readLeft = async () => (await read()).filter((id) => left.includes(id));
      return () => expect.poll(readLeft, { interval: 2 }).toEqual([]);
    },
  };
}

interface UserConnection {
  server: number;
  client: ChatClient;
  /** Rooms that this connection has joined. */
  joined: Set<string>;
}

/**
 * Servers that are stopped and started again, with one connection per user. The users of a stopped server move to
 * another.
 */
export class RestartedServers {
  readonly site: Site;
  readonly #env: NodeJS.ProcessEnv;
  readonly #inProcess: ReadonlySet<number>;
  readonly #servers: (RunningChat | undefined)[] = [];
  readonly #starting: Promise<void>[] = [];
  readonly #connections = new Map<string, UserConnection>();
  /** Servers that may not have read the latest changes of other servers. */
  readonly #outdated = new Set<number>();

  /** @param inProcess servers that run in this process and are never killed */
  constructor(site: Site, env: NodeJS.ProcessEnv, inProcess: readonly number[]) {
    this.site = site;
    this.#env = env;
    this.#inProcess = new Set(inProcess);
  }

  /** @param users the IDs of the users, which are also their session IDs */
  async start(users: readonly string[]): Promise<void> {
    onTestFinished(() => this.#close());
    await Promise.all(this.site.servers.map((_, server) => this.#startServer(server)));
    for (const [n, user] of users.entries()) await this.connect(user, n % this.#servers.length);
  }

  /** Returns the servers that can be killed. Empty unless all servers run, so that users have a server. */
  findKillable(): number[] {
    const servers = [...this.site.servers.keys()];
    const doAllRun = servers.every((server) => this.#servers[server] !== undefined);
    return doAllRun ? servers.filter((server) => !this.#inProcess.has(server)) : [];
  }

  /** Waits until all servers run. */
  async waitForStarts(): Promise<void> {
    await Promise.all(this.#starting);
  }

  connection(user: string): UserConnection {
    return this.#connections.get(user) as UserConnection;
  }

  /** Moves a user to a server. No-op if the server does not run. */
  async connect(user: string, server: number): Promise<void> {
    const running = this.#servers[server];
    if (running === undefined) return;
    this.#connections.get(user)?.client.close();
    const client = await connectChat(running.url, `PHPSESSID=${user}`);
    this.#connections.set(user, { server, client, joined: new Set() });
  }

  request(user: string, event: string, payload: object) {
    return this.connection(user).client.raw(event, payload);
  }

  /** Sends a request. If the server stops first, the outcome has no response. */
  async run(request: ModelRequest): Promise<Outcome> {
    const { client, joined } = this.connection(request.user);
    try {
      const response = await client.raw(request.event, request.payload);
      if (!response.ok) return { request, response: { code: response.error.code } };
      if (request.event === 'room:join') joined.add(request.payload.room);
      const data = response.data as { room?: { id: string }; invite?: { id: string }; token?: string };
      const created = { id: (data.room ?? data.invite)?.id, token: data.token };
      return { request, created, response: toModelResponse(request.event, data) };
    } catch (error) {
      if (!/disconnected|without a connection/.test(String(error))) throw error;
      return { request };
    }
  }

  /** Marks servers as outdated, because requests of these users change the history through their own servers. */
  markOutdated(users: readonly string[]): void {
    const writers = new Set(users.map((user) => this.connection(user).server));
    for (const server of this.site.servers.keys())
      if (writers.size > 1 || !writers.has(server)) this.#outdated.add(server);
  }

  /** Makes the servers of these users read all changes, by a request for an unknown room. */
  async catchUp(users: readonly string[]): Promise<void> {
    const userByServer = new Map(users.map((user) => [this.connection(user).server, user]));
    for (const [server, user] of userByServer) {
      if (this.#outdated.delete(server)) await this.request(user, 'room:pins', { room: 'u-none' });
    }
  }

  async stop(server: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.#servers[server]?.stop(signal);
    this.#servers[server] = undefined;
  }

  /** Starts a stopped server. Its users move to another server, if one runs, or wait for the start. */
  async restart(server: number): Promise<void> {
    const starting = this.#startServer(server);
    this.#starting[server] = starting;
    // `waitForStarts` reports the error.
    starting.catch(() => {});
    const fallback = this.#servers.findIndex((running) => running !== undefined);
    if (fallback === -1) await starting;
    for (const [user, connection] of this.#connections)
      if (connection.server === server) await this.connect(user, Math.max(fallback, 0));
  }

  async #startServer(server: number): Promise<void> {
    const start = this.#inProcess.has(server) ? chatServerHere : nextChatServer;
    this.#servers[server] = await start({ ...this.#env, ...this.site.servers[server] });
  }

  async #close(): Promise<void> {
    for (const { client } of this.#connections.values()) client.close();
    await Promise.allSettled(this.#starting);
    await Promise.all(this.#servers.map((server) => server?.stop()));
  }
}
