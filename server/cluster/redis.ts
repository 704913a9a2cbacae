import { mostBytes } from '../history/engine/followed.ts';
import type { RedisServer } from './address.ts';
import { BusError, type BusKind } from './kind.ts';

/** Milliseconds after which a socket that does not connect is closed. The caller has given it up by then. */
const timeout = 10_000;

/** Redis or Valkey. The changes of a batch travel with the hint, so the other servers need not read them. */
export function redisBus(server: RedisServer): BusKind {
  return {
    takesChanges: true,
    async connect(channel, { text, failed }) {
      const library = await import('redis');
      // A connection that subscribes can do nothing else.
      const clients = [0, 1].map(() => createClient(library, server)) as [Client, Client];
      const [sending, listening] = clients;
      let ended = false;
      const end = () => {
        ended = true;
        for (const client of clients) if (client.isOpen) client.destroy();
      };
      const failure = (error: unknown) =>
        new BusError(
          error instanceof library.ErrorReply
            ? `Redis refuses (${/^[A-Z]{1,20}\b/.exec(error.message)?.[0] ?? 'an unknown error'})`
            : `Redis: the connection failed (${(error as NodeJS.ErrnoException).code ?? 'closed'})`,
        );
      for (const client of clients) {
        client.on('error', (error) => failed(failure(error)));
        // A client that is destroyed while it connects still becomes connected.
        client.on('ready', () => ended && client.destroy());
      }
      try {
        await Promise.all(clients.map((client) => client.connect()));
        // Anybody may publish there, so a text of hundreds of megabytes must not become a string.
        const onMessage = (message: Buffer) => text(message.toString('utf8', 0, mostBytes + 1));
        await listening.subscribe(channel, onMessage, true);
      } catch (error) {
        end();
        throw failure(error);
      }
      return {
        send: (text) => sending.publish(channel, text),
        ping: () =>
          Promise.all([sending.ping(), listening.ping()]).catch((error) => Promise.reject(failure(error))),
        end,
      };
    },
  };
}

type Library = typeof import('redis');
type Client = ReturnType<typeof createClient>;

function createClient({ createClient, RESP_TYPES }: Library, server: RedisServer) {
  const { host, port, tls, user, password, database } = server;
  const socket = { host, port, reconnectStrategy: false, connectTimeout: 2 * timeout } as const;
  return createClient({
    // The older protocol is enough, and every Redis knows it.
    RESP: 2,
    // Without `rejectUnauthorized`, NODE_TLS_REJECT_UNAUTHORIZED could switch it off.
    socket: tls ? { ...socket, tls, rejectUnauthorized: true } : socket,
    ...(user === '' ? {} : { username: user }),
    ...(password === '' ? {} : { password }),
    database,
    disableOfflineQueue: true,
    disableClientInfo: true,
    commandOptions: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
}
