import type { OpenContainer } from './containers/container.ts';

/** The settings of one server. Times are in milliseconds, sizes in bytes, `lifetime` is in seconds. */
export interface Settings {
  /** Null: listens on the socket only. */
  listen: { host: string; port: number } | null;
  /** The path of the Unix socket. Undefined: listens on the port only. */
  socket: string | undefined;
  tls: { cert: string; key: string } | undefined;
  container: { open: OpenContainer; path: string };
  /** Without use for this long, a session expires. 0: never. */
  lifetime: number;
  lockTimeout: number;
  lockHold: number;
  /** The interval between deletions of expired sessions. */
  collect: number;
  firstCommand: number;
  lineTime: number;
  /** Compares a client's token in constant time. Null: no token is needed. */
  isToken: ((given: string) => boolean) | null;
  helpPhp: boolean;
  memory: number;
  buffer: number;
  sessionSize: number;
  sessions: number;
  connections: number;
  waiters: number;
  waitersPerSession: number;
}

/** The default socket: browser pages cannot reach it, nor can users outside its group. */
export const defaultSocket = 'data/session-server.sock';
