import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls';
import { Connection, type Host, MemoryBudget } from './connection.ts';
import type { OpenContainer } from './containers/container.ts';
import { Locks } from './locks.ts';
import { Sessions } from './sessions.ts';
import { Subscriptions } from './subscriptions.ts';
import { queueReads, WorkQueue } from './work-queue.ts';

/** The default is a socket, because browser pages and users outside its group cannot reach it. */
export const defaultSocket = 'data/session-server.sock';

export interface Settings {
  /** Null to listen only on the socket. */
  listen: { host: string; port: number } | null;
  /** The path of the Unix socket. Undefined to listen only on the port. */
  socket: string | undefined;
  tls: { cert: string; key: string } | undefined;
  container: { open: OpenContainer; path: string };
  /** The lifetime of sessions after each use. 0 if they do not expire. */
  lifetimeSeconds: number;
  lockTimeoutMs: number;
  lockHoldMs: number;
  /** The interval between deletions of expired sessions. */
  collectIntervalMs: number;
  firstCommandTimeoutMs: number;
  lineTimeoutMs: number;
  /** Compares a client's token in constant time. Null if the server has no token. */
  isToken: ((token: string) => boolean) | null;
  helpPhp: boolean;
  maxMemoryBytes: number;
  maxBufferBytes: number;
  maxSessionBytes: number;
  maxSessions: number;
  maxConnections: number;
  maxWaiters: number;
  maxWaitersPerSession: number;
}

/** Several times the open sessions of a chat server. */
const maxSubscriptions = 100_000;
/** Subscribers are notified of an expiry within about this time. */
const collectSubscribedIntervalMs = 250;
const handshakeTimeoutMs = 10_000;
/** The number of possible TLS handshakes while all connections are in use. */
const extraHandshakes = 100;
/** Ordinary clients do not use this budget, because their first lines fit in the free bytes of a connection. */
const maxBufferBytesBeforeAuth = 16 * 1024 * 1024;

export interface SessionServer {
  /** Null if the server listens only on the socket. */
  readonly address: { host: string; port: number } | null;
  /** Stops accepting connections, finishes running commands, and closes the container. */
  close(): Promise<void>;
}

/**
 * Reports an event that may repeat often, so the caller must limit the log lines.
 * @param event an identifier from a small set, without client input
 */
export type Warn = (event: string, fields: Record<string, unknown>, message: string) => void;

export async function startSessionServer(settings: Settings, warn: Warn): Promise<SessionServer> {
  const logError = (error: unknown) =>
    // Not the whole error, because it may contain a file name with a session ID.
    warn(reasonOf(error), { reason: reasonOf(error) }, 'an operation failed');
  const work = new WorkQueue();
  const container = queueReads(
    await settings.container.open(settings.container.path, { ...settings, logError }),
    work,
  );
  const locks = new Locks(settings);
  const subscriptions = new Subscriptions(maxSubscriptions);
  const connections = new Set<Connection>();
  const idleConnections = new Set<Connection>();
  const sessions = new Sessions(container, locks, subscriptions, settings, logError);
  const host: Host = {
    services: { sessions, subscriptions, isToken: settings.isToken, lockTimeoutMs: settings.lockTimeoutMs },
    // A byte of a session takes up to three bytes in a line (`%0A`). The rest is for the command.
    limits: { ...settings, maxLineBytes: 3 * settings.maxSessionBytes + 1024 },
    budget: new MemoryBudget(settings.maxBufferBytes),
    budgetBeforeAuth: new MemoryBudget(maxBufferBytesBeforeAuth),
    work,
    helpPhp: settings.helpPhp,
    setIdle(connection, isIdle) {
      // Deletes first, so that the longest idle connection is the first of the set.
      idleConnections.delete(connection);
      if (isIdle) idleConnections.add(connection);
    },
    logError,
  };

  const accept = (socket: Socket) => {
    if (connections.size >= settings.maxConnections) {
      warn(
        'full',
        { connections: connections.size },
        'all connections are in use (SESSION_SERVER_CONNECTIONS); an idle connection is closed, or the new connection rejected',
      );
      const [oldest] = idleConnections;
      if (oldest === undefined) {
        socket.on('error', () => {});
        socket.end('err Too many connections.\r\n', () => socket.destroy());
        return;
      }
      idleConnections.delete(oldest);
      connections.delete(oldest);
      oldest.drop();
    }
    const connection = new Connection(socket, host);
    connections.add(connection);
    void connection.closed.then(() => {
      connections.delete(connection);
      idleConnections.delete(connection);
    });
  };

  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const listen = async (server: Server, options: { host: string; port: number } | { path: string }) => {
    // Node closes further connections without a reply. TLS handshakes count as connections.
    const maxConnections = settings.maxConnections + extraHandshakes;
    server.maxConnections = maxConnections;
    if (server instanceof TlsServer)
      limitHandshakes(server, (unfinished) => connections.size + unfinished >= maxConnections);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ backlog: 1024, ...options }, resolve);
    });
    server.on('error', logError);
    // With TLS, `accept` is called after the handshake, and `close` must also end unfinished handshakes.
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    servers.push(server);
    return server;
  };
  const timers = [
    repeat(settings.collectIntervalMs, () => sessions.collect(), logError),
    repeat(collectSubscribedIntervalMs, () => sessions.collectSubscribed(), logError),
  ];
  let tcpAddress: SessionServer['address'] = null;
  try {
    if (settings.listen !== null) {
      const server = await listen(tcpServer(settings, accept), settings.listen);
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      tcpAddress = { host: address.address, port: address.port };
    }
    if (settings.socket !== undefined) await listenOnSocket(settings.socket, accept, listen);
  } catch (error) {
    for (const server of servers) server.close();
    await Promise.all(timers.map((timer) => timer.stop()));
    await container.close();
    throw error;
  }

  return {
    address: tcpAddress,
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
  const options = {
    ...tls,
    allowHalfOpen: true,
    handshakeTimeout: handshakeTimeoutMs,
    minVersion: 'TLSv1.2' as const,
  };
  return createTlsServer(options, accept).on('tlsClientError', () => {});
}

/** Closes the oldest unfinished handshake if there is no room for the next one. */
function limitHandshakes(server: TlsServer, isFull: (unfinished: number) => boolean): void {
  /** The sockets by both addresses, because a finished handshake has another socket object. */
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
  // The operator must create other folders and set their permissions.
  if (path === resolve(defaultSocket)) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Removes the socket of a killed server. Any other file at this path is an error.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() && (await isDead(path))) rmSync(path);
  await listen(createServer({ allowHalfOpen: true }, accept), { path });
  // Members of the socket's group may connect.
  chmodSync(path, 0o660);
}

/** Whether no process listens on the socket. */
function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}

/** Repeats the work, one call at a time. */
function repeat(intervalMs: number, work: () => Promise<unknown>, logError: (error: unknown) => void) {
  let running: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    running ??= work()
      .catch(logError)
      .finally(() => {
        running = undefined;
      });
  }, intervalMs);
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
