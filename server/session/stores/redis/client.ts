export type Library = typeof import('redis');
export type RedisClient = ReturnType<typeof createClient>;

/** Where a Redis listens, and the user to log in as. An empty `user` is Redis's default user. */
export interface RedisServer {
  /** `ca`: certificates in PEM that replace those of the well-known authorities. */
  at: { host: string; port: number; tls?: { ca?: string } } | { path: string };
  user: string;
  password: string;
  database: number;
}

/** @param timeout of one question, in milliseconds */
export function createClient({ createClient, RESP_TYPES }: Library, server: RedisServer, timeout: number) {
  const { at, user, password, database } = server;
  const socket = {
    reconnectStrategy: false,
    // Only for a socket that has been given up by then.
    connectTimeout: 2 * timeout,
  } as const;
  return createClient({
    // The older protocol is enough, and every Redis knows it.
    RESP: 2,
    socket:
      'path' in at
        ? { ...socket, path: at.path }
        : at.tls === undefined
          ? { ...socket, host: at.host, port: at.port }
          : // Without `rejectUnauthorized`, NODE_TLS_REJECT_UNAUTHORIZED could switch it off.
            { ...socket, host: at.host, port: at.port, ...at.tls, tls: true, rejectUnauthorized: true },
    ...(user === '' ? {} : { username: user }),
    ...(password === '' ? {} : { password }),
    database,
    disableOfflineQueue: true,
    disableClientInfo: true,
    commandOptions: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
}

/** The library connects a client that was destroyed while it was connecting: such a one is destroyed again. */
export function endIfUnwanted(client: RedisClient, unwanted: () => boolean): void {
  client.on('connect', () => {
    if (unwanted()) client.destroy();
  });
}
