import type { Followed, Watch, Watcher } from '../../store.ts';
import { keepWatching } from '../subscription.ts';
import type { SessionServer } from './address.ts';
import { WatchConnection } from './watch-connection.ts';

/**
 * Tells of the sessions that are followed, each of which the server is told to watch.
 * @param timeout of an answer, in milliseconds: from then on it is not certain that all is told
 */
export function watchSessionServer(server: SessionServer, timeout: number, watcher: Watcher): Watch {
  /** By ID, by how many. */
  const followers = new Map<string, number>();
  let connection: WatchConnection | undefined;
  const end = keepWatching(async (line) => {
    const opened = new WatchConnection(server, followers, line);
    line.signal.addEventListener('abort', () => {
      if (connection === opened) connection = undefined;
    });
    await opened.greeted;
    connection = opened;
    opened.start();
    return () => opened.ping();
  }, watcher);

  const follow = (id: string): Followed => {
    const before = followers.get(id) ?? 0;
    followers.set(id, before + 1);
    if (before === 0) connection?.wish(id);
    let over = false;
    return {
      get since() {
        return connection === undefined || connection.silentFor > timeout
          ? undefined
          : connection.watchedSince(id);
      },
      end() {
        if (over) return;
        over = true;
        const left = (followers.get(id) ?? 1) - 1;
        if (left > 0) return void followers.set(id, left);
        followers.delete(id);
        connection?.wish(id);
      },
    };
  };
  return Object.assign(end, { follow });
}
