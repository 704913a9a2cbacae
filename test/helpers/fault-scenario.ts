import { setTimeout as pause } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import type { Message, RequestName } from '../../server/wire/events.ts';
import { size } from '../guarantees/size.ts';
import { type ChatClient, type ConnectRefused, connectChat, newClientId } from './chat-client.ts';
import { origin } from './files.ts';
import { hanging } from './hanging.ts';

/** The servers on which users chat while something fails. */
export interface Place {
  /** One server, or several servers that form one chat. */
  readonly servers: readonly { url: string; pid: number; output(): string }[];
  /** The servers have no bus, so they share only what they store. */
  readonly noBus?: true;
  /** Other processes that must not end. */
  readonly others?: readonly { pid: number; output(): string }[];
  /** Writes a session as the site does, and fails as a page would. @returns its cookie */
  putSession(id: string, session: object): Promise<string>;
  dropSession(id: string): Promise<unknown>;
  /** Returns the tables of the database in which a row contains this text. */
  holding?(text: string): Promise<string[]>;
}

export const apiKey = 'an-api-key-for-faults';
export const env = {
  CHAT_API_KEY: apiKey,
  CHAT_USER_ROLES: 'roles',
  CHAT_USER_ROOMS: 'rooms',
  CHAT_ORIGINS: origin,
  CHAT_DRAIN: '0s',
  CHAT_SESSION_CHECK: '250ms',
};

/**
 * A picture of one pixel. An ordinary run uploads text, because the process that examines pictures takes long to start.
 */
const upload = size(
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  ),
  Buffer.from('text'),
);
const versions = size(['', '?size=preview'], ['']);

/** Codes of temporary failures. Any other code is a bug of the server. */
const passing = /^(storage_unavailable|storage_full|session_store_unavailable|rate_limited)$/;
/**
 * The maximum number of attempts of a step. They last longer than the 10 s for which a database keeps the locks of a
 * server that it can no longer reach.
 */
const mostTries = 120;

/** Repeats the attempt while its failure is temporary. No attempt may hang. */
async function insist<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const late = new AbortController();
    const hangs = pause(hanging, undefined, { signal: late.signal }).then(() => {
      throw new Error(`no answer within ${hanging} ms`);
    });
    try {
      return await Promise.race([attempt(), hangs]);
    } catch (error) {
      if (!passing.test((error as Error).message) || tries === mostTries) throw error;
      await pause(Math.min(20 * tries, 500));
    } finally {
      hangs.catch(() => {});
      late.abort();
    }
  }
}

/** Loads a page again if it fails. */
const asPage = <T>(load: () => Promise<T>): Promise<T> =>
  insist(() =>
    load().catch((cause: unknown) => {
      throw new Error('storage_unavailable', { cause });
    }),
  );

const ask = <E extends RequestName>(
  client: ChatClient,
  event: E,
  payload: Parameters<typeof client.request<E>>[1],
) => insist(() => client.request(event, payload));

async function connect(url: string, cookie: string): Promise<ChatClient> {
  return insist(async () => {
    try {
      // Without a response to CONNECT for 5 s the client closes the connection and retries.
      return await connectChat(url, cookie, {
        reconnection: true,
        reconnectionDelay: 50,
        reconnectionDelayMax: 50,
      });
    } catch (error) {
      // If the history failed or the connection was cut, the client may retry. The log contains the reason.
      const { data } = error as ConnectRefused;
      throw data === undefined || data.retryable ? new Error('storage_unavailable', { cause: error }) : error;
    }
  });
}

async function http(url: string, path: string, init: RequestInit = {}): Promise<Buffer> {
  return insist(async () => {
    const answer = await fetch(url + path, init).catch((error: Error) => cut(path, error));
    if (!answer.ok) {
      const { error } = (await answer.json()) as { error: { code: string } };
      throw new Error(error.code);
    }
    return Buffer.from(await answer.arrayBuffer().catch((error: Error) => cut(path, error)));
  });
}

/** A fault during the transfer of a file or an archive cuts it off, and the client requests it again. */
function cut(path: string, error: Error): never {
  throw /^\/files\/|export$/.test(path) ? new Error('storage_unavailable', { cause: error }) : error;
}

const api = (url: string, method: string, path: string, body?: object) =>
  http(url, `/api${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}` },
    body: JSON.stringify(body),
  });

/** Replaces `expect.poll`, which supports one test at a time. */
const until = (what: () => unknown, wanted: unknown) =>
  vi.waitFor(async () => expect(await what()).toEqual(wanted), { timeout: hanging, interval: 20 });

let users = 0;

/** The names of the steps. */
export type Step = keyof Scenario['steps'];

/** Simulates users who chat throughout, and runs the other uses of a chat step by step. */
export class Scenario {
  readonly #place: Place;
  /** One client per server that reads everything and regularly sends a message. */
  #witnesses: ChatClient[] = [];
  #talking = true;
  #talks: Promise<void>[] = [];
  /** The acknowledged messages of the lobby, by clientId. */
  readonly #acknowledged = new Map<string, Message>();
  /** Clients that are closed at the end of their step. */
  readonly #clients: ChatClient[] = [];

  private constructor(place: Place) {
    this.#place = place;
  }

  static async open(place: Place): Promise<Scenario> {
    const self = new Scenario(place);
    for (const [n, { url }] of place.servers.entries()) {
      const witness = await connect(url, await place.putSession(`witness${n}`, { user_id: `witness${n}` }));
      await ask(witness, 'room:join', { room: 'lobby' });
      self.#witnesses.push(witness);
    }
    self.#talks = self.#witnesses.map((witness) => self.#talk(witness));
    // `check` reports their failures.
    Promise.all(self.#talks).catch(() => {});
    return self;
  }

  /** Each function prepares its step while nothing fails, and returns the step. */
  readonly steps = {
    connect: async () => {
      const cookie = await this.#session();
      return () => this.#connect(cookie);
    },
    join: async () => {
      const client = await this.#newcomer();
      return () => ask(client, 'room:join', { room: 'lobby' });
    },
    send: async () => {
      const client = await this.#joined();
      return () => this.#send(client);
    },
    edit: async () => {
      const { client, message } = await this.#author();
      return () => ask(client, 'message:edit', { room: 'lobby', seq: message.seq, text: 'edited' });
    },
    delete: async () => {
      const { client, message } = await this.#author();
      return () => ask(client, 'message:delete', { room: 'lobby', seq: message.seq });
    },
    react: async () => {
      const { client, message } = await this.#author();
      return () => ask(client, 'message:react', { room: 'lobby', seq: message.seq, emoji: '👍', on: true });
    },
    read: async () => {
      const client = await this.#joined();
      const { lastSeq } = await this.#send(this.#witnesses[0] as ChatClient);
      return () => ask(client, 'read:mark', { room: 'lobby', seq: lastSeq });
    },
    history: async () => {
      const client = await this.#joined();
      return async () => {
        await ask(client, 'message:history', { room: 'lobby', before: 2 });
        await ask(client, 'room:sync', { room: 'lobby', since: 0, limit: 10 });
      };
    },
    room: async () => {
      const client = await this.#newcomer();
      const clientId = newClientId();
      return async () => {
        const name = `Den of ${client.ready.user.id}`;
        const { room } = await ask(client, 'room:create', {
          name,
          kind: 'private',
          members: ['witness0'],
          clientId,
        });
        await ask(client, 'room:join', { room: room.id });
        await this.#send(client, room.id);
        await ask(client, 'room:delete', { room: room.id }).catch((error: Error) => {
          // The room is already deleted, because the response to an earlier attempt was lost.
          if (error.message !== 'unknown_room') throw error;
        });
      };
    },
    files: async () => {
      const cookie = await this.#session();
      const client = await this.#connect(cookie);
      await ask(client, 'room:join', { room: 'lobby' });
      const headers = { origin, cookie };
      return async () => {
        const init = { method: 'POST', headers, body: upload };
        const answer = await http(this.#url(), '/files?room=lobby&name=dot', init);
        const { file } = JSON.parse(String(answer)) as { file: { id: string; name: string; size: number } };
        const { message } = await this.#send(client, 'lobby', { files: [{ id: file.id }] });
        expect(message.files).toHaveLength(1);
        for (const version of versions) {
          const bytes = await http(this.#url(), `/files/${file.id}/${file.name}${version}`, { headers });
          if (version === '') expect(bytes).toHaveLength(file.size);
        }
        await ask(client, 'message:delete', { room: 'lobby', seq: message.seq });
      };
    },
    'the site': async () => {
      const cookie = await this.#session();
      const client = await this.#connect(cookie);
      const { id } = client.ready.user;
      const clientId = newClientId();
      return async () => {
        await http(this.#url(), '/me', { headers: { cookie, origin } });
        await api(this.#url(), 'GET', `/users/${id}`);
        const body = { user: { id: 'shop', name: 'Shop' }, text: `text ${clientId}`, clientId };
        const { message } = JSON.parse(
          String(await api(this.#url(), 'POST', '/rooms/lobby/messages', body)),
        ) as { message: Message };
        this.#acknowledged.set(clientId, message);
        await api(this.#url(), 'POST', `/users/${id}/push`, { name: 'order', data: {} });
        await api(this.#url(), 'PATCH', '/rooms/lobby/members', { add: [id] });
      };
    },
    export: async () => {
      const { client, message } = await this.#author();
      const { id } = client.ready.user;
      return async () => {
        const archive = await api(this.#url(), 'GET', `/users/${id}/export`);
        // The central directory, which a truncated archive lacks.
        expect(archive.subarray(-22, -18)).toEqual(Buffer.from('PK\x05\x06', 'latin1'));
        expect(archive.length).toBeGreaterThan(message.text.length);
      };
    },
    typing: async () => {
      const client = await this.#joined();
      const { id } = client.ready.user;
      const reader = this.#witnesses.at(this.#place.noBus ? 0 : -1) as ChatClient;
      const isSeen = () =>
        reader.events.some(
          ({ name, payload }) =>
            name === 'typing:changed' && (payload as { user: { id: string } }).user.id === id,
        );
      return async () => {
        // The event may be lost while the servers have no bus.
        while (!isSeen()) {
          for (const typing of [true, false]) await ask(client, 'typing:set', { room: 'lobby', typing });
          await pause(50);
        }
      };
    },
    'a page': async () => {
      const client = await this.#newcomer();
      const { id } = client.ready.user;
      const session = { user_id: id, firstname: `Name of ${id}`, rooms: [`room-of-${id}`] };
      const named = (name: string) => client.events.filter((event) => event.name === name);
      return async () => {
        await asPage(() => this.#place.putSession(id, session));
        await until(() => named('session:changed').length, 1);
        await until(() => named('room:added').length, 1);
        expect(named('session:changed')).toMatchObject([{ payload: { user: { name: `Name of ${id}` } } }]);
      };
    },
    logout: async () => {
      const client = await this.#newcomer();
      return async () => {
        await asPage(() => this.#place.dropSession(client.ready.user.id));
        expect((await client.ended).reason).toBe('logout');
      };
    },
    erasure: async () => {
      const { client, message } = await this.#author();
      const { id } = client.ready.user;
      await ask(client, 'message:react', { room: 'lobby', seq: message.seq, emoji: '👍', on: true });
      const told = this.#witnesses.map((witness) => resetsOf(witness));
      return async () => {
        await api(this.#url(), 'DELETE', `/users/${id}?messages=delete`);
        // Clients get room:reset when the erasure is complete.
        await until(
          () => this.#witnesses.every((witness, n) => resetsOf(witness) > (told[n] as number)),
          true,
        );
        this.#acknowledged.delete(message.clientId);
        const { messages } = await ask(this.#witnesses[0] as ChatClient, 'message:history', {
          room: 'lobby',
          before: message.seq + 1,
          limit: 1,
        });
        expect(messages).toMatchObject([{ seq: message.seq, text: '', user: { id: '0' } }]);
        expect((await this.#place.holding?.(message.text)) ?? []).toEqual([]);
      };
    },
  } satisfies Record<string, () => Promise<() => Promise<unknown>>>;

  /** Takes a step and closes its clients afterwards. */
  async take(name: Step, begin: () => void): Promise<void> {
    const step = await this.steps[name]();
    begin();
    await step();
    for (const client of this.#clients.splice(0)) client.close();
  }

  /**
   * Checks that no acknowledged message is lost or duplicated, that all clients see the same order, and that the
   * servers are healthy.
   */
  async check(): Promise<void> {
    this.#talking = false;
    await Promise.all(this.#talks);
    for (const { url } of this.#place.servers) {
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      await until(async () => (await fetch(`${url}/readyz`)).text(), '{"status":"ready"}');
    }
    const acknowledged = [...this.#acknowledged.keys()].sort();
    const lists = [];
    for (const witness of this.#witnesses) {
      const came = () => witness.messages().filter(({ room }) => room === 'lobby');
      const missing = () => {
        const ids = new Set(came().map(({ clientId }) => clientId));
        return acknowledged.filter((id) => !ids.has(id));
      };
      await until(missing, []);
      const seen = came();
      const seqs = seen.map(({ seq }) => seq);
      expect(seqs, 'each once, and in order').toEqual(seqs.map((_, n) => (seqs[0] as number) + n));
      expect(new Set(seen.map(({ clientId }) => clientId)).size, 'each once').toBe(seen.length);
      expect(witness.socket.connected).toBe(true);
      lists.push(new Map(seen.map(({ seq, clientId }) => [seq, clientId])));
    }
    for (const [seq, clientId] of lists[0] ?? [])
      for (const list of lists.slice(1)) if (list.has(seq)) expect(list.get(seq)).toBe(clientId);
    for (const { pid, output } of [...this.#place.servers, ...(this.#place.others ?? [])]) {
      expect(() => process.kill(pid, 0)).not.toThrow();
      const lines = output().split('\n');
      expect(lines.filter((line) => /unexpected error|"level":60|Unhandled|\(node:\d+\)/.test(line))).toEqual(
        [],
      );
    }
  }

  close(): void {
    this.#talking = false;
    for (const client of [...this.#witnesses, ...this.#clients]) client.close();
  }

  #url(): string {
    return this.#place.servers[0]?.url ?? '';
  }

  #session(): Promise<string> {
    const user = `u${users++}`;
    return this.#place.putSession(user, { user_id: user });
  }

  async #connect(cookie: string): Promise<ChatClient> {
    const client = await connect(this.#url(), cookie);
    this.#clients.push(client);
    return client;
  }

  async #newcomer(): Promise<ChatClient> {
    return this.#connect(await this.#session());
  }

  async #joined(): Promise<ChatClient> {
    const client = await this.#newcomer();
    await ask(client, 'room:join', { room: 'lobby' });
    return client;
  }

  async #author(): Promise<{ client: ChatClient; message: Message }> {
    const client = await this.#joined();
    return { client, message: (await this.#send(client)).message };
  }

  async #send(
    client: ChatClient,
    room = 'lobby',
    more: object = {},
  ): Promise<{ message: Message; lastSeq: number }> {
    const clientId = newClientId();
    const { message } = await ask(client, 'message:send', {
      room,
      text: `text ${clientId}`,
      clientId,
      ...more,
    });
    expect(message.text).toBe(`text ${clientId}`);
    if (room === 'lobby') this.#acknowledged.set(clientId, message);
    return { message, lastSeq: message.seq };
  }

  async #talk(witness: ChatClient): Promise<void> {
    while (this.#talking) {
      await this.#send(witness);
      await pause(200);
    }
  }
}

const resetsOf = ({ events }: ChatClient) => events.filter(({ name }) => name === 'room:reset').length;
