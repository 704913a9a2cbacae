import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RequestError } from '../../client/src/connection/connection-state.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import { csvOf } from '../../client/src/moderate/csv.ts';
import type { Desk } from '../../client/src/moderate/desk.ts';
import type { DeskContext } from '../../client/src/moderate/desk-context.ts';
import { plainKey } from '../../client/src/moderate/keys.tsx';
import { LogPage } from '../../client/src/moderate/log-page.tsx';
import { hashOf, placeIn } from '../../client/src/moderate/place.ts';
import { type Case, Queue } from '../../client/src/moderate/queue.ts';
import type { Held, Report } from '../../server/wire/events.ts';

const alice = { id: '1', name: 'Alice' };
let me = alice;
const bob = { id: '2', name: 'Bob' };
const author = { id: '9', name: 'Marek' };

const report = (id: string, room: string, at: number, more: Partial<Report> = {}): Report => ({
  id,
  room,
  message: { id: room, room, seq: 1, rev: 1, clientId: 'c', user: author, text: room, sentAt: at },
  by: bob,
  reason: 'spam',
  at,
  ...more,
});
const held = (id: string, at: number, more: Partial<Held> = {}): Held => ({
  id,
  room: 'lobby',
  user: author,
  why: 'first',
  text: id,
  at,
  ...more,
});

/** The requests that were made, and the answers to those that come. */
let asked: unknown[][];
let answers: Record<string, (payload: never) => unknown>;
let told: unknown[][];
let connection: object;

const desk = () =>
  ({
    get me() {
      return me;
    },
    tasks: new Tasks(),
    get connection() {
      return connection;
    },
    async request(name: string, payload: never) {
      asked.push([name, payload]);
      return answers[name]?.(payload);
    },
  }) as unknown as Desk;

function queue(): Queue {
  return new Queue(desk(), {
    changed: () => {},
    meanwhile: (one, by, done, late) => told.push(['meanwhile', one.key, by.name, done, late]),
    refused: (one, _decision, error) => told.push(['refused', one.key, error.code]),
  });
}

const keys = ({ cases }: Queue) => cases.map(({ key }) => key);
const find = ({ cases }: Queue, key: string) => cases.find((one) => one.key === key) as Case;
const forbidden = () => {
  throw new RequestError('forbidden');
};

beforeEach(() => {
  vi.useFakeTimers();
  me = alice;
  connection = { state: { kind: 'ready' } };
  asked = [];
  told = [];
  answers = {
    'report:list': () => ({
      reports: [report('d', 'late', 40), report('c', 'twice', 30), report('b', 'early', 10)],
      decided: 4,
      next: 'more',
    }),
    'held:list': () => ({ held: [held('waits', 20)] }),
    'report:close': ({ id }) => ({
      report: report(id, 'x', 0, { closed: { by: me, done: 'deleted', at: 1 } }),
    }),
  };
  const first = answers['report:list'];
  answers['report:list'] = ({ cursor }: { cursor?: string }) =>
    cursor === undefined ? first?.({} as never) : { reports: [report('a', 'twice', 50)] };
});
afterEach(() => {
  vi.useRealTimers();
});

test('the queue lists each message once, most reports first, then the oldest', async () => {
  const all = queue();
  await all.load();
  expect(keys(all)).toEqual(['twice/1', 'early/1', 'held/waits', 'late/1']);
  expect(all.state).toBe('here');
});

test('what changes while the lists are read is newer than they are', async () => {
  const all = queue();
  answers['held:list'] = () => {
    all.held({ id: 'new', room: 'lobby', is: 'held', held: held('new', 60) });
    all.held({ id: 'waits', room: 'lobby', is: 'approved', by: bob });
    all.reported({ report: report('d', 'late', 40, { closed: { by: bob, done: 'nothing', at: 50 } }) });
    return { held: [held('waits', 20)] };
  };
  await all.load();
  expect(keys(all)).toEqual(['twice/1', 'early/1', 'held/new']);
});

test('only where neither reports nor waiting messages are to be had, the page is forbidden', async () => {
  answers['report:list'] = forbidden;
  const some = queue();
  await some.load();
  expect([some.state, keys(some)]).toEqual(['here', ['held/waits']]);
  answers['held:list'] = forbidden;
  const none = queue();
  await none.load();
  expect(none.state).toBe('forbidden');
});

test('an own message that waits, and a rejected one, are not to be decided on', async () => {
  answers['held:list'] = () => ({
    held: [held('own', 1, { user: me }), held('rejected', 2, { rejected: { at: 3 } })],
  });
  const all = queue();
  await all.load();
  expect(keys(all)).not.toContain('held/own');
  expect(keys(all)).not.toContain('held/rejected');
});

test('a decision is sent after eight seconds, with the next one, or when the page is left, unless it is taken back', async () => {
  const all = queue();
  await all.load();
  asked = [];
  all.decide(find(all, 'twice/1'), { done: 'deleted' });
  expect(keys(all)).not.toContain('twice/1');
  await vi.advanceTimersByTimeAsync(7999);
  expect(asked).toEqual([]);
  expect(all.undo()?.key).toBe('twice/1');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toEqual([]);
  expect(keys(all)[0]).toBe('twice/1');
  all.decide(find(all, 'twice/1'), { done: 'deleted' });
  all.decide(find(all, 'early/1'), { done: 'nothing' });
  expect(asked).toEqual([['report:close', { id: 'c', done: 'deleted', all: true }]]);
  all.decide(find(all, 'held/waits'), { done: 'rejected', reason: 'No' });
  all.flush();
  await vi.advanceTimersByTimeAsync(0);
  expect(asked.slice(1)).toEqual([
    ['report:close', { id: 'b', done: 'nothing', all: true }],
    ['held:reject', { id: 'waits', reason: 'No' }],
  ]);
  expect(keys(all)).toEqual(['late/1']);
  expect(all.decidedToday).toBe(7);
});

test('an approval leaves out a preview that came after the decision', async () => {
  const preview = { url: 'https://a.example/' };
  answers['held:list'] = () => ({ held: [held('waits', 20, { preview })] });
  const all = queue();
  await all.load();
  all.decide(find(all, 'held/waits'), { done: 'approved' });
  const shown = held('waits', 20, { preview: { ...preview, title: 'Casino' } });
  all.held({ id: 'waits', room: 'lobby', is: 'held', held: shown });
  await vi.advanceTimersByTimeAsync(8000);
  expect(asked).toContainEqual(['held:approve', { id: 'waits', preview: false }]);
});

test('a decision whose eight seconds a check of the session interrupts is sent afterwards, for the same user alone', async () => {
  for (const [user, sent] of [
    [alice, [['held:approve', { id: 'waits' }]]],
    [bob, []],
  ] as const) {
    me = alice;
    const all = queue();
    await all.load();
    all.decide(find(all, 'held/waits'), { done: 'approved' });
    all.clear();
    // The same as by a session that is over for good.
    all.clear();
    asked = [];
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toEqual([]);
    me = user;
    all.ready();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.filter(([name]) => !/:list$/.test(String(name)))).toEqual(sent);
    expect(keys(all).includes('held/waits')).toBe(user === bob);
    all.clear();
    all.ready();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.filter(([name]) => name === 'held:approve')).toHaveLength(sent.length);
  }
});

test.each([
  ['that waits for a connection', 'lost'],
  ['that is on its way', 'ready'],
])('a decision %s when the session is checked is offered to no other moderator', async (_, kind) => {
  for (const [user, sent] of [
    [alice, [['held:approve', { id: 'waits' }]]],
    [bob, []],
  ] as const) {
    const { promise, reject } = Promise.withResolvers<never>();
    me = alice;
    connection = { state: { kind }, connected: () => promise };
    answers['held:approve'] = () => promise;
    const all = queue();
    await all.load();
    all.decide(find(all, 'held/waits'), { done: 'approved' });
    all.flush();
    all.clear();
    me = undefined as never;
    reject(new RequestError('offline'));
    await vi.advanceTimersByTimeAsync(0);
    me = user;
    connection = { state: { kind: 'ready' } };
    answers['held:approve'] = () => ({});
    asked = [];
    all.ready();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.filter(([name]) => name === 'held:approve')).toEqual(sent);
    expect(keys(all).includes('held/waits')).toBe(user === bob);
    expect(told).toEqual([]);
  }
});

test('a decision is not sent when the connection that it waits for is that of another moderator', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  connection = { state: { kind: 'ended' }, connected: () => promise };
  const all = queue();
  await all.load();
  const sent = all.send(find(all, 'held/waits'), { done: 'approved' });
  me = bob;
  resolve();
  await expect(sent).rejects.toThrow(RequestError);
  expect(asked.filter(([name]) => name === 'held:approve')).toEqual([]);
});

test('a decision that was interrupted ends after a minute, in a computer that slept, too', async () => {
  for (const pass of [
    () => vi.advanceTimersByTimeAsync(60_000),
    async () => void vi.setSystemTime(Date.now() + 60_000),
  ]) {
    const all = queue();
    await all.load();
    all.decide(find(all, 'held/waits'), { done: 'approved' });
    all.clear();
    expect(vi.getTimerCount()).toBe(1);
    await pass();
    asked = [];
    all.ready();
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(asked.filter(([name]) => name === 'held:approve')).toEqual([]);
    expect(keys(all)).toContain('held/waits');
  }
});

test('a case that another moderator has decided is removed and announced once', async () => {
  const all = queue();
  await all.load();
  expect(keys(all)).toHaveLength(4);
  const closed = { by: bob, done: 'nothing', at: 1 } as const;
  all.reported({ report: report('c', 'twice', 30, { closed }) });
  expect([keys(all)[0], told]).toEqual(['twice/1', []]);
  all.reported({ report: report('a', 'twice', 50, { closed }) });
  expect(told.splice(0)).toEqual([['meanwhile', 'twice/1', 'Bob', 'nothing', false]]);
  // Alice's own, from another of her windows.
  all.reported({ report: report('b', 'early', 10, { closed: { ...closed, by: me } }) });
  all.held({ id: 'waits', room: 'lobby', is: 'discarded' });
  expect([keys(all), told]).toEqual([['late/1'], []]);
  answers['report:close'] = () => ({ report: report('d', 'late', 40, { closed }) });
  expect(await all.send(find(all, 'late/1'), { done: 'deleted' })).toBe(false);
  expect(told).toEqual([['meanwhile', 'late/1', 'Bob', 'nothing', true]]);
  expect(keys(all)).toEqual([]);
});

test('a decision that could be taken back is dropped when another moderator has decided', async () => {
  const all = queue();
  await all.load();
  asked = [];
  all.decide(find(all, 'held/waits'), { done: 'approved' });
  all.held({ id: 'waits', room: 'lobby', is: 'rejected', by: bob });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toEqual([]);
  expect(told).toEqual([['meanwhile', 'held/waits', 'Bob', 'rejected', true]]);
});

test('a decision that is refused brings the case back', async () => {
  answers['report:close'] = forbidden;
  const all = queue();
  await all.load();
  all.decide(find(all, 'early/1'), { done: 'deleted' });
  await vi.advanceTimersByTimeAsync(8000);
  expect(told).toEqual([['refused', 'early/1', 'forbidden']]);
  expect(keys(all)).toContain('early/1');
});

test('a case that others are about to close stays where it was shown', async () => {
  const all = queue();
  await all.load();
  expect(keys(all)[0]).toBe('twice/1');
  all.reported({ report: report('c', 'twice', 30, { closed: { by: bob, done: 'nothing', at: 1 } }) });
  expect(keys(all)).toEqual(['twice/1', 'early/1', 'held/waits', 'late/1']);
});

test('a page of the log that is refused is not asked for again by itself', async () => {
  const acts = Array.from({ length: 100 }, (_, n) => ({ kind: 'pinned', by: bob, at: Date.now() - n }));
  answers['moderate:acts'] = async ({ cursor }: { cursor?: string }) => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (cursor !== undefined) throw new RequestError('rate_limited');
    return { acts, next: 'more' };
  };
  const log = new LogPage({ chat: desk(), changed: () => {} } as unknown as DeskContext);
  log.open();
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked).toHaveLength(2);
});

test('the address has the section and the entry, or stands for the queue', () => {
  for (const place of [
    { section: 'queue' },
    { section: 'queue', id: 'lobby/1' },
    { section: 'people', id: 'a/b c%' },
  ] as const)
    expect(placeIn(hashOf(place))).toEqual(place);
  expect(['', '#', '#m=lobby/1', '#people/%zz', '#x/y'].map(placeIn)).toEqual([
    { section: 'queue' },
    { section: 'queue' },
    { section: 'queue' },
    { section: 'people' },
    { section: 'queue' },
  ]);
});

test('CSV: quoted where it has to be, and no cell is a formula', () => {
  expect(
    csvOf([
      ['a', 'b, "c"', 'two\nlines'],
      ['=1+1', '-x', '@x'],
      [' +1', '＝1', 'a;b', '\n'],
    ]),
  ).toBe('a,"b, ""c""","two\nlines"\r\n\'=1+1,\'-x,\'@x\r\n\' +1,\'＝1,"a;b","\'\n"\r\n');
});

test('CSV has no formula where `;` separates cells either', () => {
  const table = csvOf([
    ['7', "x;=cmd|' /C calc'!A0;y", 'spam'],
    ['8', 'x; +1;y', 'two\n@lines'],
    ['9', 'x;\t-1', 'x\t=1'],
    // The quote becomes two: a cell that is empty within its quotes, with more behind them.
    ['10', 'x;"=1+1;y', 'x; "+1'],
  ]);
  const cells = Array.from(
    table.matchAll(/(?<=^|[;\t\r\n])(?:"((?:[^"]|"")*)"(?!"))?([^;\t\r\n]*)/g),
    ([, quoted = '', rest = '']) => quoted + rest,
  );
  expect(cells.filter((cell) => /^\s*[=+\-@]/.test(cell))).toEqual([]);
});

test('a key counts by its letter, or by its position on other layouts, without modifiers', () => {
  const press = (key: string, more: object = {}) =>
    plainKey({ key, code: '', composedPath: () => [], ...more } as unknown as KeyboardEvent);
  expect(press('j')).toBe('j');
  expect(press('J')).toBe('j');
  expect(press('о', { code: 'KeyJ' })).toBe('j');
  expect(press('?')).toBe('?');
  expect(press('Enter')).toBeUndefined();
  for (const modifier of ['ctrlKey', 'altKey', 'metaKey', 'repeat', 'isComposing', 'defaultPrevented'])
    expect(press('j', { [modifier]: true }), modifier).toBeUndefined();
});
