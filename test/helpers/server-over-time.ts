import { onTestFinished } from 'vitest';
import { type ChatServer, historyFolder, nextChatServersIn } from './chat-server.ts';
import { type FakeClock, fakeClock } from './fake-clock.ts';
import { startMemcached } from './memcached.ts';

export interface ServerOverTime {
  readonly clock: FakeClock;
  readonly history: ReturnType<typeof historyFolder>;
  /**
   * Ends the server, if there is one, and starts the next one with the same history.
   * @param at where the clock is set between the two, in seconds off the real one
   */
  start(settings: NodeJS.ProcessEnv, by?: { signal?: NodeJS.Signals; at?: number }): Promise<ChatServer>;
}

/** Chat servers, each after the other, by a clock that the test moves. The session of a user has the user's id. */
export async function serverOverTime(...users: string[]): Promise<ServerOverTime> {
  const [memcached, history, clock] = [await startMemcached(), historyFolder(), fakeClock()];
  const servers = nextChatServersIn(clock.env);
  let server: ChatServer | undefined;
  onTestFinished(async () => {
    await server?.stop();
    await servers.end();
    await memcached.stop();
    history.remove();
    clock.remove();
  });
  for (const user of users) await memcached.set(`sessions/${user}`, JSON.stringify({ user_id: user }));
  return {
    clock,
    history,
    async start(settings, { signal, at } = {}) {
      await server?.stop(signal);
      if (at !== undefined) clock.jump(at);
      server = await servers.start({
        CHAT_SESSION_STORE: memcached.url,
        CHAT_HISTORY: history.url,
        ...settings,
      });
      return server;
    },
  };
}
