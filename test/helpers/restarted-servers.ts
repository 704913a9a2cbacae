import { expect, onTestFinished } from 'vitest';
import { type ChatClient, connectChat } from './chat-client.ts';
import { chatServerHere } from './chat-here.ts';
import type { ModelRequest } from './chat-model.ts';
import { historyFolder, nextChatServer, type RunningChat } from './chat-server.ts';
import type { Outcome } from './explain.ts';
import { mariadbDatabase, postgresDatabase } from './history-database.ts';
import { startMariadb } from './mariadb.ts';
import { startPostgres } from './postgres.ts';
import { responseOf } from './room-views.ts';

/** The settings of the servers that share a history. */
export interface Site {
  servers: NodeJS.ProcessEnv[];
  /** Waits until the database has ended the sessions of a killed server, which may commit until then. */
  untilSessionsEnd(server: number): Promise<void>;
}

/** A history of one server, in SQLite. */
export async function openSqliteSite(): Promise<Site> {
  const history = historyFolder();
  onTestFinished(() => history.remove());
  const servers = [{ CHAT_HISTORY: history.url, CHAT_FILES: history.files }];
  return { servers, untilSessionsEnd: async () => {} };
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
    countSessions: (login) => `SELECT count(*) AS n FROM pg_stat_activity WHERE usename = '${login}'`,
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
    countSessions: (login) =>
      `SELECT count(*) AS n FROM information_schema.processlist WHERE user = '${login}'`,
  });
}

/** Two servers on one history. Each has its own login, so the database can tell whose sessions are open. */
async function openCluster(
  url: string,
  database: {
    cluster: string;
    query(sql: string): Promise<Record<string, unknown>[]>;
    createLogin(login: string): string[];
    countSessions(login: string): string;
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
    async untilSessionsEnd(server) {
      const sql = database.countSessions(logins[server] as string);
      const count = async () => Number((await database.query(sql))[0]?.n);
      await expect.poll(count, { interval: 2 }).toBe(0);
    },
  };
}

interface UserConnection {
  server: number;
  client: ChatClient;
  /** Rooms that this connection has joined. */
  joined: Set<string>;
}

/** Servers that end and start again, with one connection for each user. The users of an ended server go to another. */
export class RestartedServers {
  readonly site: Site;
  readonly #env: NodeJS.ProcessEnv;
  readonly #inProcess: ReadonlySet<number>;
  readonly #servers: (RunningChat | undefined)[] = [];
  readonly #starting: Promise<void>[] = [];
  readonly #connections = new Map<string, UserConnection>();
  /** Servers that may not have read what other servers have stored. */
  readonly #behind = new Set<number>();

  /** @param inProcess servers that run in this process and are never killed */
  constructor(site: Site, env: NodeJS.ProcessEnv, inProcess: readonly number[]) {
    this.site = site;
    this.#env = env;
    this.#inProcess = new Set(inProcess);
  }

  /** @param users their session ids are their names */
  async start(users: readonly string[]): Promise<void> {
    onTestFinished(() => this.#close());
    await Promise.all(this.site.servers.map((_, server) => this.#startServer(server)));
    for (const [n, user] of users.entries()) await this.connect(user, n % this.#servers.length);
  }

  /** The servers that can be killed now: only while all run. */
  killable(): number[] {
    const all = [...this.site.servers.keys()];
    const isRunning = all.every((server) => this.#servers[server] !== undefined);
    return isRunning ? all.filter((server) => !this.#inProcess.has(server)) : [];
  }

  /** Waits until all servers run. */
  async untilAllRun(): Promise<void> {
    await Promise.all(this.#starting);
  }

  connection(user: string): UserConnection {
    return this.#connections.get(user) as UserConnection;
  }

  /** Moves a user to a server, if it runs. */
  async connect(user: string, server: number): Promise<void> {
    const running = this.#servers[server];
    if (running === undefined) return;
    this.#connections.get(user)?.client.close();
    const client = await connectChat(running.url, `PHPSESSID=${user}`);
    this.#connections.set(user, { server, client, joined: new Set() });
  }

  ask(user: string, event: string, payload: object) {
    return this.connection(user).client.raw(event, payload);
  }

  async carryOut(request: ModelRequest): Promise<Outcome> {
    const { client, joined } = this.connection(request.user);
    try {
      const answer = await client.raw(request.event, request.payload);
      if (!answer.ok) return { request, response: { code: answer.error.code } };
      if (request.event === 'room:join') joined.add(request.payload.room);
      const data = answer.data as { room?: { id: string }; invite?: { id: string }; token?: string };
      const created = { id: (data.room ?? data.invite)?.id, token: data.token };
      return { request, created, response: responseOf(request.event, data) };
    } catch (error) {
      if (!/disconnected|without a connection/.test(String(error))) throw error;
      return { request };
    }
  }

  /** Some requests of these users may have changed the history: the servers of others have not read that. */
  noteChanges(users: readonly string[]): void {
    const used = new Set(users.map((user) => this.connection(user).server));
    for (const server of this.site.servers.keys())
      if (used.size > 1 || !used.has(server)) this.#behind.add(server);
  }

  /** Makes the servers of these users read all changes, which a request for an unknown room does. */
  async catchUp(users: readonly string[]): Promise<void> {
    const userByServer = new Map(users.map((user) => [this.connection(user).server, user]));
    for (const [server, user] of userByServer) {
      if (this.#behind.delete(server)) await this.ask(user, 'room:pins', { room: 'u-none' });
    }
  }

  async stop(server: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.#servers[server]?.stop(signal);
    this.#servers[server] = undefined;
  }

  /** Starts a stopped server; meanwhile its users go to another, if there is one. */
  async restart(server: number): Promise<void> {
    const starting = this.#startServer(server);
    this.#starting[server] = starting;
    // The test waits for it at the end.
    starting.catch(() => {});
    const other = this.#servers.findIndex((running) => running !== undefined);
    if (other === -1) await starting;
    for (const [user, connection] of this.#connections)
      if (connection.server === server) await this.connect(user, Math.max(other, 0));
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
