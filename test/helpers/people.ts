import { unzipSync } from 'fflate';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { EventName, EventPayload, RoomSummary } from '../../server/wire/events.ts';
import { type ChatClient, type ClientOptions, connectChat, newClientId } from './chat-client.ts';
import { chatServerHere } from './chat-here.ts';
import type { RunningChat } from './chat-server.ts';
import { type ChatSite, startChatSite } from './chat-site.ts';

/** A user of the site with one open connection. */
export type Person = ChatClient & { readonly id: string; readonly cookie: string };

export interface Several {
  2: [Person, Person];
  3: [Person, Person, Person];
  4: [Person, Person, Person, Person];
}

type ApiBody = Record<string, unknown> & { error?: { code: string } };

export interface PeopleSite<Chat extends RunningChat = RunningChat> extends ChatSite<Chat> {
  /** Creates a user, with this ID if given. `session` is the rest of the session. */
  person(session?: object, id?: string): Promise<Person>;
  /** Creates this many users. @param each is called with each of them */
  people<Count extends keyof Several>(count: Count, each?: (one: Person) => unknown): Promise<Several[Count]>;
  /** Opens another connection with the same session. */
  again(person: Person, options?: ClientOptions): Promise<Person>;
  /** Replaces the session, as PHP would. */
  writeSession(person: Person, session: object): Promise<void>;
  /** Creates a private room with this owner and these members. */
  den(owner: ChatClient, members?: readonly Person[], over?: object): Promise<RoomSummary>;
  /** Calls the server's HTTP API, with its key. */
  api(method: string, path: string, body?: object): Promise<{ status: number; body: ApiBody }>;
}

export const apiKey = 'an-api-key-for-tests';
/** All IDs have the same length, so that they sort by their creation. */
let users = 1000;

/**
 * Starts a site whose sessions contain rooms, roles and bans of their users, and whose PHP application has an API key.
 */
export async function startPeopleSite<Chat extends RunningChat = RunningChat>(
  env: NodeJS.ProcessEnv = {},
  start: (env: NodeJS.ProcessEnv) => Promise<Chat> = chatServerHere as never,
): Promise<PeopleSite<Chat>> {
  const settings = {
    CHAT_API_KEY: apiKey,
    CHAT_USER_ROOMS: 'rooms',
    CHAT_USER_ROLES: 'roles',
    CHAT_USER_BANNED: 'banned',
    CHAT_SESSION_CHECK: '100ms',
    ...env,
  };
  const site = await startChatSite(settings, start);
  const record = (id: string, session: object) =>
    JSON.stringify({ user_id: id, firstname: `Name of ${id}`, ...session });
  const connect = async (id: string, cookie: string, options?: ClientOptions) =>
    Object.assign(await connectChat(site.chat.url, cookie, options), { id, cookie });
  const person = async (session: object = {}, id = `p${users++}`) =>
    connect(id, await site.rawSession(record(id, session)));
  return {
    ...site,
    person,
    async people(count, each) {
      const all = await Promise.all(Array.from({ length: count }, () => person()));
      for (const one of all) each?.(one);
      return all as never;
    },
    again: ({ id, cookie }, options) => connect(id, cookie, options),
    writeSession: ({ id, cookie }, session) => site.memcached.set(site.key(cookie), record(id, session)),
    async den(owner, members = [], over = {}) {
      const { room } = await owner.request('room:create', {
        name: 'Den',
        kind: 'private',
        members: members.map(({ id }) => id),
        clientId: newClientId(),
        ...over,
      });
      return room;
    },
    async api(method, path, body) {
      const answer = await fetch(`${site.chat.url}/api${path}`, {
        method,
        headers: { authorization: `Bearer ${apiKey}` },
        body: JSON.stringify(body),
      });
      return { status: answer.status, body: (await answer.json()) as ApiBody };
    },
  };
}

/** Starts a site before the tests of a file and closes it after them. The returned object is empty until then. */
export function sharedSite<Site extends Pick<PeopleSite, 'close'>>(start: () => Promise<Site>): Site {
  const site = {} as Site;
  beforeAll(async () => {
    Object.assign(site, await start());
  });
  afterAll(() => site.close());
  return site;
}

/** Returns the files in the export of a user's data, by their names. */
export async function exportOf({ chat }: PeopleSite, user: string): Promise<Record<string, string>> {
  const answer = await fetch(`${chat.url}/api/users/${user}/export`, {
    headers: { authorization: `Bearer ${apiKey}` },
  });
  const files = unzipSync(new Uint8Array(await answer.arrayBuffer()));
  return Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes).toString()]),
  );
}

/** Returns a function for the tests of a file. A connection that is passed to it is closed after the test. */
export function closedAfterEach(): <One extends Pick<ChatClient, 'close'>>(one: One) => One {
  const open: Pick<ChatClient, 'close'>[] = [];
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });
  return (one) => {
    open.push(one);
    return one;
  };
}

/** Returns the payloads of all events with this name so far. */
export function eventsOf<E extends EventName>(client: ChatClient, event: E): EventPayload<E>[] {
  return client.events.filter(({ name }) => name === event).map(({ payload }) => payload as EventPayload<E>);
}

/** Returns the payload of the first event with this name after the call. */
export async function nextOf<E extends EventName>(client: ChatClient, event: E): Promise<EventPayload<E>> {
  const before = eventsOf(client, event).length;
  await expect.poll(() => eventsOf(client, event).length).toBeGreaterThan(before);
  return eventsOf(client, event)[before] as EventPayload<E>;
}

/** Sends a request. @returns `ok`, or the code of the error */
export async function codeOf(client: ChatClient, event: string, ...payload: unknown[]): Promise<string> {
  const answer = await client.raw(event, ...payload);
  return answer.ok ? 'ok' : answer.error.code;
}

export const say = async (client: ChatClient, room: string, text = 'hello', over: object = {}) =>
  (await client.request('message:send', { room, text, clientId: newClientId(), ...over })).message;
