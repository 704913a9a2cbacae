import { audit } from '../../server/changes/audit.ts';
import { runConsumers } from '../../server/changes/consumer.ts';
import { changeIdentity, connectUser, disconnectUser } from '../../server/chat/connected-users.ts';
import { mayUpload } from '../../server/chat/messages/files.ts';
import { type Connection, userOf } from '../../server/chat/model.ts';
import { holdSettings } from '../../server/chat/moderation/hold-settings.ts';
import { removalsOf } from '../../server/chat/moderation/removals.ts';
import { openChat } from '../../server/chat/open-chat.ts';
import { erasing } from '../../server/chat/personal-data/erasing.ts';
import { readyRoomsOf } from '../../server/chat/rooms.ts';
import * as site from '../../server/chat/site.ts';
import { canOf, totalsOfPerson, totalsOfUser } from '../../server/chat/summary.ts';
import { identityOf } from '../../server/connections/accepted.ts';
import type { History } from '../../server/history/history.ts';
import { openSqliteHistory } from '../../server/history/sqlite/sqlite.ts';
import { ConcurrencyLimit } from '../../server/limits/by-key.ts';
import { FileBudget } from '../../server/limits/file-budget.ts';
import { RequestError } from '../../server/wire/errors.ts';
import type { User } from '../../server/wire/events.ts';
import { directRequests } from './asked-directly.ts';
import { ConnectRefused, newClientId } from './chat-client.ts';
import { emptyHistory, usual } from './chat-server.ts';
import type { ChatSite } from './chat-site.ts';
import { configOf } from './config.ts';
import { checkEvent, checkRequest } from './frames.ts';
import type { PeopleSite, Person } from './people.ts';

/** Like `PeopleSite`, without a session store, HTTP and sockets. The users are connected to the chat directly. */
export interface PeopleHere extends Omit<PeopleSite, Exclude<keyof ChatSite, 'close'>> {
  readonly history: History;
  /** Returns what GET /me counts for that user, connected or not. */
  me(person: Person): Promise<{ unread: number; mentions: number } | null>;
  /** Returns `ok` if the user may upload into the room, otherwise the error code. */
  mayUpload(person: Person, room: string): Promise<string>;
}

const ignore = () => {};
/** Converts a value as a socket would. */
const sent = <Value>(value: Value): Value =>
  value === undefined ? value : JSON.parse(JSON.stringify(value));
const siteRoles = ['admin', 'moderator'] as const;
let users = 1000;

/**
 * Opens a chat whose users connect to it directly.
 * @param given a history that stays open when this is closed
 */
export async function startPeopleHere(env: NodeJS.ProcessEnv = {}, given?: History): Promise<PeopleHere> {
  const config = configOf({ CHAT_CREATE_ROOMS: 'all', ...usual, ...env });
  const folder = given === undefined && env.CHAT_HISTORY === undefined ? await emptyHistory() : undefined;
  const path = folder?.path ?? env.CHAT_HISTORY?.slice('sqlite:'.length) ?? '';
  const unexpected = (error: Error): never => {
    throw error;
  };
  const history = given ?? (await openSqliteHistory({ path, onFailure: unexpected }));
  /** The clients by connection. `joined` has the connections by room. */
  const open = new Map<string, { client: Person; connection: Connection }>();
  const joined = new Map<string, Set<string>>();
  const hear = (ids: Iterable<string>, name: string, payload: unknown) => {
    for (const id of ids) {
      const frame = { name, payload: sent(payload) };
      checkEvent(name, frame.payload);
      open.get(id)?.client.events.push(frame as never);
    }
  };
  const hold = holdSettings(config.hold);
  const chat = await openChat({
    history,
    publisher: {
      toRoom: (room, name, payload) => hear(joined.get(room) ?? [], name, payload),
      toConnections: hear,
      join: (id, room) => void joined.set(room, (joined.get(room) ?? new Set()).add(id)),
      leave: (id, room) => void joined.get(room)?.delete(id),
    },
    settings: { ...config, mails: false },
    limits: config.limits,
    fileBudget: new FileBudget({ count: 0, ms: 0 }),
    rooms: config.rooms,
    retention: config.retention,
    async kick(user) {
      for (const { client } of [...open.values()].filter(({ client }) => client.id === user)) {
        client.events.push({ name: 'session:ended', payload: { reason: 'kicked' } });
        client.close();
      }
    },
    hold,
    // Announcements of the last changes may run after the history is closed.
    onAsideFailure: ignore,
    onEndFailure: unexpected,
    onSweepFailure: unexpected,
    onKeysRenewed() {},
    onKeysFailure: unexpected,
    onDueFailure: unexpected,
    onOtherRoom: ({ id }) => unexpected(new Error(id)),
  });
  const { limitRequests, limitSend, limitSearch, limitChange, limitCreate, limitInvite, limitReport } =
    config;
  const requests = directRequests(chat, {
    ...{ requests: limitRequests, send: limitSend, search: limitSearch, change: limitChange },
    ...{ create: limitCreate, invite: limitInvite, report: limitReport },
  });
  const identity = (id: string, session: Record<string, unknown>) => {
    const {
      firstname = `Name of ${id}`,
      roles = [],
      rooms = [],
    } = session as never as Record<string, string>;
    const named = Array.isArray(rooms)
      ? rooms.map((id) => ({ id, name: id }))
      : Object.entries(rooms).map(([id, name]) => ({ id, name }));
    return identityOf(
      {
        id,
        name: firstname,
        roles: siteRoles.filter((role) => [roles].flat().includes(role)),
        groups: named as never,
      },
      chat,
    );
  };
  /** The calls of the PHP application. */
  const calls: Record<string, (id: string, body: never) => Promise<unknown>> = {
    'POST rooms messages': (id, body) => site.postMessage(chat, id, body),
    'PUT rooms': (id, body: object) => site.putRoom(chat, { id, ...body } as never),
    'DELETE rooms': (id) => site.deleteRoom(chat, id),
    'PATCH rooms members': (id, { add = [], remove = [] }: Record<string, (string | User)[]>) =>
      site
        .changeMembers(chat, id, {
          remove: remove as string[],
          add: add.map((one) => (typeof one === 'string' ? { id: one } : one)),
        })
        .then((count) => ({ count })),
    'PUT users ban': (id, body) => site.ban(chat, id, body).then((closed) => ({ closed })),
    'DELETE users ban': (id) => site.unban(chat, id),
    'GET users': (id) => site.lookUp(chat, id),
    'DELETE users': (id) => site.erase(chat, id, 'anonymise'),
    'GET audit': () => site.listActs(chat, {} as never),
  };
  const consumers = runConsumers(history, [erasing(chat), audit], {
    onFailure: (_, error) => unexpected(error),
    onSkipped: (name) => unexpected(new Error(name)),
  });
  const self = (connection: Connection) => {
    const roles = [...connection.identity.roles];
    return { user: userOf(connection), roles, can: canOf(chat.settings, roles), profile: config.profile };
  };
  let connections = 0;
  async function connect(id: string, session: object): Promise<Person> {
    const name = `c${connections++}`;
    if (chat.directory.banOf(id) !== null)
      throw new ConnectRefused('forbidden', { code: 'forbidden', retryable: false } as never);
    const connection = await connectUser(chat, name, identity(id, session as never));
    const listen = requests(connection) as (...of: unknown[]) => void;
    const raw = async (event: string, ...args: unknown[]) => {
      const answer = await new Promise<unknown>((done) =>
        listen(event, ...sent(args), (answer: unknown) => done(sent(answer))),
      );
      checkRequest(event, sent(args[0]), answer);
      return answer;
    };
    const client = {
      id,
      cookie: JSON.stringify(session),
      events: [],
      ready: sent({
        ...self(connection),
        ...readyRoomsOf(chat, connection),
        totals: totalsOfPerson(connection.person),
      }),
      raw,
      async request(event: string, payload: unknown) {
        const answer = (await raw(event, payload)) as { ok: boolean; data: unknown; error: { code: string } };
        if (!answer.ok) throw Object.assign(new Error(answer.error.code), { error: answer.error });
        return answer.data;
      },
      messages: () =>
        client.events.filter(({ name }) => name === 'message:new').map(({ payload }) => payload),
      close() {
        if (!open.delete(name)) return;
        for (const ids of joined.values()) ids.delete(name);
        for (const room of connection.joined) chat.typing.left(room, connection);
        disconnectUser(chat, connection);
      },
    } as never as Person;
    open.set(name, { client, connection });
    for (const removal of removalsOf(chat.directory.restrictions, id)) hear([name], 'room:removed', removal);
    return client;
  }
  const person = (session: object = {}, id = `p${users++}`) => connect(id, session);
  return {
    history,
    async api(method, path, body = {}) {
      const [of = '', id = '', what = ''] = path.slice(1).split(/[/?]/).map(decodeURIComponent);
      const done =
        calls[`${method} ${of} ${path.includes('?') ? '' : what}`.trim()] ?? unexpected(new Error(path));
      try {
        const answer = sent((await done(id, body as never)) ?? {}) as {
          created?: boolean;
          repeated?: boolean;
        };
        return { status: answer.created || answer.repeated === false ? 201 : 200, body: answer as never };
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        return { status: 400, body: { error: { code: error.code } } };
      }
    },
    me: ({ id, cookie }) =>
      totalsOfUser(history, chat.directory, new ConcurrencyLimit(4), identity(id, JSON.parse(cookie))),
    mayUpload: ({ id, cookie }, room) =>
      mayUpload(chat, identity(id, JSON.parse(cookie)), room).then(
        () => 'ok',
        ({ code }: RequestError) => code,
      ),
    person,
    async people(count, each) {
      const all = await Promise.all(Array.from({ length: count }, () => person()));
      for (const one of all) each?.(one);
      return all as never;
    },
    again: ({ id, cookie }) => connect(id, JSON.parse(cookie)),
    async writeSession({ id }, session) {
      for (const [name, { client, connection }] of open) {
        if (client.id !== id) continue;
        await changeIdentity(chat, connection, identity(id, session as never));
        hear([name], 'session:changed', self(connection));
      }
    },
    async den(owner, members = [], over = {}) {
      const made = {
        name: 'Den',
        kind: 'private',
        members: members.map(({ id }) => id),
        clientId: newClientId(),
      } as const;
      return (await owner.request('room:create', { ...made, ...over })).room;
    },
    async close() {
      for (const { client } of [...open.values()]) client.close();
      await consumers.stop();
      chat.close();
      if (given === undefined) await history.close();
      folder?.remove();
    },
  };
}
