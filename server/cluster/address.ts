/** The address and login of a Redis server. An empty `user` is the default user of Redis. */
export interface RedisServer {
  host: string;
  port: number;
  tls: boolean;
  user: string;
  password: string;
  database: number;
}

/**
 * How servers learn of each other's writes: over Redis, by NOTIFY in the history's PostgreSQL, or only by polling the
 * history's MariaDB.
 */
export type BusPlace = { kind: 'redis'; server: RedisServer } | { kind: 'postgres' } | { kind: 'mysql' };

/** Parses CHAT_CLUSTER. @returns undefined if it is invalid */
export function readBusPlace(setting: string): BusPlace | undefined {
  if (setting === 'postgres' || setting === 'mysql') return { kind: setting };
  const parts =
    /^(rediss?):\/\/(?:([^:@/?#]*):([^@/?#]*)@)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?(?:\/(\d{1,5}))?$/.exec(
      setting,
    );
  if (parts === null) return undefined;
  const [, scheme, user = '', password = '', v6, host = v6 as string, port = '6379', database = '0'] = parts;
  try {
    return {
      kind: 'redis',
      server: {
        host,
        port: Number(port),
        tls: scheme === 'rediss',
        user: decodeURIComponent(user),
        password: decodeURIComponent(password),
        database: Number(database),
      },
    };
  } catch {
    return undefined;
  }
}
