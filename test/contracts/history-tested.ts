import { expect } from 'vitest';
import { type Change, type History, methods, sources, type Writes } from '../../server/history/history.ts';

/** The storage under an open history. */
interface Storage {
  open(): Promise<History>;
  /** Empties all tables. */
  empty(): Promise<void>;
  /** The tables that contain a text. */
  holding(text: string): Promise<string[]>;
  close(): unknown;
}

/** An open history. All tests of a contract share it and empty it first. */
export interface TestedHistory extends Omit<Storage, 'open' | 'close'> {
  readonly history: History;
  /** All changes since the start of the test, without audit entries, which belong to the change log. */
  readonly changes: Change[];
  /** Makes the next transaction load its data instead of using data of the last one. */
  reload(): Promise<void>;
  /** Closes the history and opens it again. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

let reloads = 0;

export async function openTested({ open, close, ...storage }: Storage): Promise<TestedHistory> {
  const changes: Change[] = [];
  const followed = async () => {
    const history = await open();
    history.onChange((change) => {
      if (change.type !== 'act' && change.type !== 'erasing') changes.push(change);
    });
    return history;
  };
  let history = await followed();
  // A new user clears the cached data.
  const reload = () => history.write.arrive({ user: { id: `reload ${reloads++}`, name: '-' }, at: 0 });
  return {
    ...storage,
    get history() {
      return history;
    },
    changes,
    async reload() {
      await reload();
      changes.pop();
    },
    async reopen() {
      await history.close();
      history = await followed();
    },
    async empty() {
      await reload();
      await storage.empty();
      // Stops the logging of changes for consumers of the previous test.
      await history.write.keepConsumers({ names: ['none'] });
    },
    async close() {
      await history.close();
      await close();
    },
  };
}

export type Now = () => TestedHistory;

/** The default time of all writes. */
export const at = 1_700_000_000_000;

/** Default inputs, so that tests name only what matters. */
const usual = {
  createRoom: { kind: 'private', most: 0, at },
  putRoom: { kind: 'private', at },
  openDirect: { at },
  addMembers: { source: 'people', mayReturn: false, at },
  removeMembers: { sources: sources.people, by: 'people', cause: 'removed', at },
  join: { at },
  arrive: { at },
  addFile: { at },
  edit: { at },
  delete: { moderator: false, at },
  pin: { pinned: true, at },
  report: { reason: 'spam', at },
  closeReport: { done: 'nothing', at },
  restrict: { kind: 'muted', at },
  block: { blocked: true, at },
  erase: { messages: 'anonymise', at },
} as const satisfies { [Op in keyof Writes]?: Partial<Writes[Op]['in']> };

type Input<Op extends keyof Writes> = Op extends keyof typeof usual
  ? Omit<Writes[Op]['in'], keyof (typeof usual)[Op]> &
      Partial<Pick<Writes[Op]['in'], keyof (typeof usual)[Op] & keyof Writes[Op]['in']>>
  : Writes[Op]['in'];
type UsualWrites = { readonly [Op in keyof Writes]: (input: Input<Op>) => Promise<Writes[Op]['out']> };

/** The calls of the open history, with default inputs. */
export const callsOf = (now: Now) => ({
  write: methods<History['write']>((op, input) => {
    const defaults = usual[op as keyof typeof usual];
    return now().history.write[op]({ ...defaults, ...(input as object) } as never);
  }) as unknown as UsualWrites,
  read: methods<History['read']>((query, input) => now().history.read[query](input)),
});

export const refused = (code: string, more = {}) => expect.objectContaining({ code, ...more });

/** Expects that a call is rejected with this code. */
export const expectRefusal = (call: Promise<unknown>, code: string, more = {}) =>
  expect(call).rejects.toMatchObject({ code, ...more });

/** Reads all pages. The first call has no `from`. */
export async function pagesOf<Page extends { readonly next?: Place }, Place = string>(
  read: (place: { from?: Place }) => Promise<Page>,
): Promise<Page[]> {
  const pages = [await read({})];
  for (let from = pages[0]?.next; from !== undefined; from = pages.at(-1)?.next)
    pages.push(await read({ from }));
  return pages;
}

export const ann = { id: '1', name: 'Ann' };
export const ben = { id: '2', name: 'Ben' };
let n = 0;
type NewMessage = Writes['send']['in'];
export const message = (over: Partial<NewMessage> = {}): NewMessage => ({
  room: 'lobby',
  clientId: `c${n++}`,
  user: ann,
  text: 'hello',
  sentAt: at,
  asMember: false,
  ...over,
});
export const newRoom = (over: Partial<Writes['createRoom']['in']> = {}): Writes['createRoom']['in'] => ({
  id: `u-${n++}`,
  kind: 'private',
  name: 'Den',
  by: ann,
  clientId: `r${n++}`,
  most: 0,
  at,
  ...over,
});

/** Calls that many tests make, with what they return. */
export function actionsOf(now: Now) {
  const { write, read } = callsOf(now);
  const send = async (one: NewMessage) => (await write.send(one)).message;
  const newest = (room: string, upTo: number, limit = 50) => read.newest({ room, upTo, limit });
  const since = (room: string, from: number, upTo: number, limit = 500) =>
    read.changes({ room, since: from, upTo, limit });
  const memberOf = async (room: string, user: string) => (await read.membersOf({ room, users: [user] }))[0];
  const create = async (over?: Partial<Writes['createRoom']['in']>) =>
    (await write.createRoom(newRoom(over))).room;
  const addPeople = (room: string, users: string[], over: Partial<Writes['addMembers']['in']> = {}) =>
    write.addMembers({
      room,
      users: users.map((id) => ({ id })),
      source: 'people',
      mayReturn: false,
      at,
      ...over,
    });
  const join = (...users: (typeof ann)[]) =>
    Promise.all(users.map((user) => write.join({ room: 'lobby', user })));
  const search = async (query: string, rooms: string[], everyPublic = false) =>
    (await read.search({ query, rooms, everyPublic, limit: 50 })).messages.map(({ text }) => text);
  return { send, newest, since, memberOf, create, addPeople, join, search };
}
