import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls';
import { Connection, type Host, MemoryBudget } from './connection.ts';
import { Locks } from './locks.ts';
import { Sessions } from './sessions.ts';
import { defaultSocket, type Settings } from './settings.ts';
import { Subscriptions } from './subscriptions.ts';
import { queueReads, WorkQueue } from './work-queue.ts';

/** Several times the open sessions of one chat server. */
const maxSubscriptions = 100_000;
/** Milliseconds. Subscribers learn within about this time that a session has expired. */
const collectSubscribedEvery = 250;
/** A byte of a session takes up to three in a line (`%0A`), and the command comes before it. */
const lineBytes = (sessionSize: number) => 3 * sessionSize + 1024;
const handshakeTimeout = 10_000;
/** TLS handshakes for which there is room even if all connections are in use. */
const handshakesBeside = 100;
/** Bytes. A client has no need of it: its first lines fit in what each connection has of its own. */
const bufferBeforeAuth = 16 * 1024 * 1024;

export interface SessionServer {
  /** Null if it listens on the socket only. */
  readonly listening: { host: string; port: number } | null;
  /** Accepts nothing new, finishes the commands that are running, and frees everything. */
  close(): Promise<void>;
}

/**
 * Reports an event that may repeat often, so the caller limits how often it logs one.
 * @param event one of a small set; never contains client input
 */
export type Warn = (event: string, fields: Record<string, unknown>, message: string) => void;

/** Opens the container, then the socket or the port. */
export async function startSessionServer(settings: Settings, warn: Warn): Promise<SessionServer> {
  const failed = (error: unknown) =>
    // Not the whole error, since it may name a file, and the name is an ID.
    warn(reasonOf(error), { reason: reasonOf(error) }, 'an operation failed');
  const work = new WorkQueue();
  const container = queueReads(
    await settings.container.open(settings.container.path, { ...settings, failed }),
    work,
  );
  const locks = new Locks({ ...settings, hold: settings.lockHold });
  const subscriptions = new Subscriptions(maxSubscriptions);
  const connections = new Set<Connection>();
  const idle = new Set<Connection>();
  const sessions = new Sessions(
    container,
    locks,
    subscriptions,
    { ...settings, size: settings.sessionSize },
    failed,
  );
  const host: Host = {
    services: { sessions, subscriptions, isToken: settings.isToken, lockTimeout: settings.lockTimeout },
    limits: { ...settings, line: lineBytes(settings.sessionSize) },
    budget: new MemoryBudget(settings.buffer),
    budgetBeforeAuth: new MemoryBudget(bufferBeforeAuth),
    work,
    helpPhp: settings.helpPhp,
    idle(connection, isIdle) {
      // Deleted first, so that the set is ordered by the time since which they are idle.
      idle.delete(connection);
      if (isIdle) idle.add(connection);
    },
    failed,
  };

  const accept = (socket: Socket) => {
    if (connections.size >= settings.connections) {
      warn(
        'full',
        { connections: connections.size },
        'all connections are in use (SESSION_SERVER_CONNECTIONS); an idle one is closed, or the new one refused',
      );
      const [oldest] = idle;
      if (oldest === undefined) {
        socket.on('error', () => {});
        socket.end('err Too many connections.\r\n', () => socket.destroy());
        return;
      }
      idle.delete(oldest);
      connections.delete(oldest);
      oldest.drop();
    }
    const connection = new Connection(socket, host);
    connections.add(connection);
    void connection.closed.then(() => {
      connections.delete(connection);
      idle.delete(connection);
    });
  };

  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const listen = async (server: Server, options: { host: string; port: number } | { path: string }) => {
    // Connections beyond that are closed without a reply. TLS handshakes count too.
    const most = settings.connections + handshakesBeside;
    server.maxConnections = most;
    if (server instanceof TlsServer)
      limitHandshakes(server, (unfinished) => connections.size + unfinished >= most);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ backlog: 1024, ...options }, resolve);
    });
    server.on('error', failed);
    // With TLS `accept` knows a connection only after its handshake; `close` must end the others too.
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    servers.push(server);
    return server;
  };
  const timers = [
    every(settings.collect, () => sessions.collect(), failed),
    every(collectSubscribedEvery, () => sessions.collectSubscribed(), failed),
  ];
  let listening: SessionServer['listening'] = null;
  try {
    if (settings.listen !== null) {
      const server = await listen(tcpServer(settings, accept), settings.listen);
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      listening = { host: address.address, port: address.port };
    }
    if (settings.socket !== undefined) await listenOnSocket(settings.socket, accept, listen);
  } catch (error) {
    for (const server of servers) server.close();
    for (const timer of timers) timer.stop();
    await container.close();
    throw error;
  }

  return {
    listening,
    async close() {
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
      for (const connection of connections) connection.end();
      await Promise.all([...connections].map((connection) => connection.closed));
      for (const socket of sockets) socket.destroy();
      await Promise.all(timers.map((timer) => timer.stop()));
      await Promise.all(closed);
      await container.close();
    },
  };
}

function tcpServer({ tls }: Settings, accept: (socket: Socket) => void): Server {
  if (tls === undefined) return createServer({ allowHalfOpen: true, noDelay: true }, accept);
  const options = { ...tls, allowHalfOpen: true, handshakeTimeout, minVersion: 'TLSv1.2' as const };
  return createTlsServer(options, accept).on('tlsClientError', () => {});
}

/** If there is no room for the next handshake, closes the connection whose handshake has been unfinished longest. */
function limitHandshakes(server: TlsServer, isFull: (unfinished: number) => boolean): void {
  /** By the addresses of both ends, since the socket of a finished handshake is another object. */
  const unfinished = new Map<string, Socket>();
  const endsOf = ({ remoteAddress, remotePort, localAddress }: Socket) =>
    `${remoteAddress} ${remotePort} ${localAddress}`;
  server.on('connection', (socket: Socket) => {
    const ends = endsOf(socket);
    unfinished.set(ends, socket);
    socket.on('close', () => {
      if (unfinished.get(ends) === socket) unfinished.delete(ends);
    });
    const [oldest] = unfinished;
    if (oldest === undefined || !isFull(unfinished.size)) return;
    unfinished.delete(oldest[0]);
    oldest[1].destroy();
  });
  server.on('secureConnection', (socket) => unfinished.delete(endsOf(socket)));
}

async function listenOnSocket(
  path: string,
  accept: (socket: Socket) => void,
  listen: (server: Server, options: { path: string }) => Promise<Server>,
): Promise<void> {
  // Any other folder must exist: only the operator knows who may use it.
  if (path === resolve(defaultSocket)) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Removes the socket of a server that was killed. Anything else at that path stays there and is an error.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() && (await isDead(path))) rmSync(path);
  await listen(createServer({ allowHalfOpen: true }, accept), { path });
  // The group of the web server can connect, too.
  chmodSync(path, 0o660);
}

/** Whether no process listens on this socket. */
function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}

/** Runs the work again and again, but never twice at the same time. */
function every(ms: number, work: () => Promise<unknown>, failed: (error: unknown) => void) {
  let running: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    running ??= work()
      .catch(failed)
      .finally(() => {
        running = undefined;
      });
  }, ms);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === undefined ? error.message : `${syscall}: ${code}`;
}
