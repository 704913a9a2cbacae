/** A Redis with its user. An empty `user` is Redis's default user. */
export interface RedisServer {
  host: string;
  port: number;
  tls: boolean;
  user: string;
  password: string;
  database: number;
}

/**
 * How servers notify each other of their writes: over a Redis, by NOTIFY of the history's own PostgreSQL, or only
 * through the history's own MariaDB.
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
