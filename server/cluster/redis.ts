import { mostBytes } from '../history/engine/followed.ts';
import type { RedisServer } from './address.ts';
import { BusError, type BusKind } from './kind.ts';

/** A socket that does not connect is closed after this time. The callers time out much earlier. */
const connectTimeout = 20_000;

/** Creates a bus over Redis or Valkey. A hint includes the changes, so other servers need not read them. */
export function redisBus(server: RedisServer): BusKind {
  return {
    takesChanges: true,
    async connect(channel, { text, failed }) {
      const library = await import('redis');
      // A subscribed connection cannot publish.
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
        // A client that is destroyed while connecting still connects.
        client.on('ready', () => ended && client.destroy());
      }
      try {
        await Promise.all(clients.map((client) => client.connect()));
        // Other programs may publish on the channel, so a text of hundreds of megabytes must not become a string.
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
  const socket = { host, port, reconnectStrategy: false, connectTimeout } as const;
  return createClient({
    // RESP 2 is sufficient, and every version of Redis supports it.
    RESP: 2,
    // Without `rejectUnauthorized`, NODE_TLS_REJECT_UNAUTHORIZED could turn off the certificate check.
    socket: tls ? { ...socket, tls, rejectUnauthorized: true } : socket,
    ...(user === '' ? {} : { username: user }),
    ...(password === '' ? {} : { password }),
    database,
    disableOfflineQueue: true,
    disableClientInfo: true,
    commandOptions: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
}
