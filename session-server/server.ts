import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { type Log, QuietLog } from '../server/log.ts';
import { Budget } from './budget.ts';
import { Connection, type Host } from './connection.ts';
import { Locks } from './locks.ts';
import { Sessions } from './sessions.ts';
import { defaultSocket, type Settings } from './settings.ts';
import { readInTurns } from './turn-reads.ts';
import { Turns } from './turns.ts';
import { Watches } from './watches.ts';

/** As many as one chat server may have open sessions, several times. */
const maxWatches = 100_000;
/** Who watches a session hears of its end within about this time. */
const watchedEvery = 250;
/** A byte of a session takes up to three in a line (`%0A`); and the command before it. */
const lineBytes = (sessionSize: number) => 3 * sessionSize + 1024;
const handshakeTimeout = 10_000;

export interface SessionServer {
  /** Null without one. */
  readonly listening: { host: string; port: number } | null;
  /** Takes nothing new, finishes what is under way, and frees everything. */
  close(): Promise<void>;
}

/** Makes the parts, and opens the port. */
export async function startSessionServer(settings: Settings, log: Log): Promise<SessionServer> {
  const quiet = new QuietLog(log);
  const failed = (error: unknown) =>
    // The whole error would tell the name of a file, which is an ID.
    quiet.warn(reasonOf(error), { reason: reasonOf(error) }, 'a command could not be done');
  const turns = new Turns();
  const container = readInTurns(
    await settings.container.open(settings.container.path, { ...settings, failed }),
    turns,
  );
  const locks = new Locks({ ...settings, hold: settings.lockHold });
  const watches = new Watches(maxWatches);
  const connections = new Set<Connection>();
  const idle = new Set<Connection>();
  const sessions = new Sessions(
    container,
    locks,
    watches,
    { ...settings, size: settings.sessionSize },
    failed,
  );
  const host: Host = {
    daemon: { sessions, watches, isToken: settings.isToken, lockTimeout: settings.lockTimeout },
    limits: { ...settings, line: lineBytes(settings.sessionSize) },
    budget: new Budget(settings.buffer),
    turns,
    helpPhp: settings.helpPhp,
    idle(connection, isIdle) {
      // The one that has been so for longest comes first.
      idle.delete(connection);
      if (isIdle) idle.add(connection);
    },
    failed,
  };

  const accept = (socket: Socket) => {
    if (connections.size >= settings.connections) {
      quiet.warn('full', { connections: connections.size }, 'no room for more connections');
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
    connection.closed.then(() => {
      connections.delete(connection);
      idle.delete(connection);
    });
  };

  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const listen = async (server: Server, options: { host: string; port: number } | { path: string }) => {
    // Beyond that the kernel's answer is enough; handshakes that are under way count.
    server.maxConnections = settings.connections + 100;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ backlog: 1024, ...options }, resolve);
    });
    server.on('error', failed);
    // With TLS also those that have not shaken hands yet, of which nobody else knows.
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    servers.push(server);
    return server;
  };
  const timers = [
    every(settings.collect, () => sessions.collect(), failed),
    every(watchedEvery, () => sessions.collectWatched(), failed),
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

async function listenOnSocket(
  path: string,
  accept: (socket: Socket) => void,
  listen: (server: Server, options: { path: string }) => Promise<Server>,
): Promise<void> {
  // Other folders are for others too, and made by who knows for whom.
  if (path === resolve(defaultSocket)) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // What a daemon that was killed has left. Anything else stays where it is, and is an error.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() && (await isDead(path))) rmSync(path);
  await listen(createServer({ allowHalfOpen: true }, accept), { path });
  // For the web server's group too.
  chmodSync(path, 0o660);
}

/** Whether nobody listens there any more. */
function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}

/** Again and again, but never twice at a time. */
function every(ms: number, work: () => Promise<unknown>, failed: (error: unknown) => void) {
  let underWay: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    underWay ??= work()
      .catch(failed)
      .finally(() => {
        underWay = undefined;
      });
  }, ms);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await underWay;
    },
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === undefined ? error.message : `${syscall}: ${code}`;
}
