import { type ChatServer, historyFolder, startChatServer } from './chat-server.ts';
import { type ChatSite, startChatSite } from './chat-site.ts';
import { apiKey } from './people.ts';

type Body = Record<string, unknown>;

/** A chat whose server is killed, and started again over the same history. */
export interface KilledChat {
  readonly site: ChatSite;
  /** The file of the history. */
  readonly path: string;
  /** Of the server that runs now. */
  readonly url: string;
  /** A call of the PHP application, again and again until a server takes it. @throws for an answer that refuses it */
  call(method: string, path: string, body: object): Promise<Body>;
  /** Kills the server without notice, and starts the next one. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startKilledChat(settings: NodeJS.ProcessEnv): Promise<KilledChat> {
  const kept = historyFolder();
  const site = await startChatSite();
  const env = {
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_HISTORY: kept.url,
    CHAT_FILES: 'off',
    CHAT_API_KEY: apiKey,
    ...settings,
  };
  let server: Promise<ChatServer> = startChatServer(env);
  let { url } = await server;
  const call: KilledChat['call'] = async (method, path, body) => {
    const asked = server;
    try {
      const answer = await fetch(`${(await asked).url}/api${path}`, {
        method,
        headers: { authorization: `Bearer ${apiKey}` },
        body: JSON.stringify(body),
      });
      const said = (await answer.json()) as Body;
      if (answer.ok) return said;
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(said)}`);
    } catch (error) {
      if (server === asked) throw error;
      // Killed: it may have done what it was asked, without an answer.
      return call(method, path, body);
    }
  };
  return {
    site,
    path: kept.path,
    get url() {
      return url;
    },
    call,
    async kill() {
      const killed = await server;
      server = killed.stop('SIGKILL').then(() => startChatServer(env));
      ({ url } = await server);
    },
    async stop() {
      await (await server).stop();
      await site.close();
      kept.remove();
    },
  };
}
