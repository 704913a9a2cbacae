import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Clock } from '../../client/src/connection/clock.ts';
import { RequestError } from '../../client/src/connection/connection-state.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import { csvOf } from '../../client/src/moderate/csv.ts';
import type { Desk } from '../../client/src/moderate/desk.ts';
import type { DeskContext } from '../../client/src/moderate/desk-context.ts';
import { LogPage } from '../../client/src/moderate/log-page.tsx';
import { Pages } from '../../client/src/moderate/pages.ts';
import { hashOf, placeIn } from '../../client/src/moderate/place.ts';
import { type Case, Queue } from '../../client/src/moderate/queue.ts';
import { plainKey } from '../../client/src/text/plain-key.ts';
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

/** The requests sent, and the answers to later ones. */
let requests: unknown[][];
let answers: Record<string, (payload: never) => unknown>;
let notices: unknown[][];
let connection: object;

const desk = () =>
  ({
    get me() {
      return me;
    },
    tasks: new Tasks(),
    clock: new Clock(),
    get connection() {
      return connection;
    },
    async request(name: string, payload: never) {
      requests.push([name, payload]);
      return answers[name]?.(payload);
    },
  }) as unknown as Desk;

function queue(): Queue {
  return new Queue(desk(), {
    changed: () => {},
    meanwhile: (one, by, done, late) => notices.push(['meanwhile', one.key, by.name, done, late]),
    refused: (one, _decision, error) => notices.push(['refused', one.key, error.code]),
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
  requests = [];
  notices = [];
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

test('lists each message once, most reports first, then the oldest', async () => {
  const all = queue();
  await all.load();
  expect(keys(all)).toEqual(['twice/1', 'early/1', 'held/waits', 'late/1']);
  expect(all.state).toBe('here');
});

test('keeps changes received while the lists are loading', async () => {
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

test('the queue is forbidden only if both reports and pending messages are', async () => {
  answers['report:list'] = forbidden;
  const some = queue();
  await some.load();
  expect([some.state, keys(some)]).toEqual(['here', ['held/waits']]);
  answers['held:list'] = forbidden;
  const none = queue();
  await none.load();
  expect(none.state).toBe('forbidden');
});

test("excludes rejected messages and the moderator's own pending messages", async () => {
  answers['held:list'] = () => ({
    held: [held('own', 1, { user: me }), held('rejected', 2, { rejected: { at: 3 } })],
  });
  const all = queue();
  await all.load();
  expect(keys(all)).not.toContain('held/own');
  expect(keys(all)).not.toContain('held/rejected');
});

test('lets a decision be undone for eight seconds, and sends it with the next decision', async () => {
  const all = queue();
  await all.load();
  requests = [];
  all.decide([find(all, 'twice/1')], { done: 'deleted' });
  expect(keys(all)).not.toContain('twice/1');
  await vi.advanceTimersByTimeAsync(7999);
  expect(requests).toEqual([]);
  expect(all.undo()?.key).toBe('twice/1');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(requests).toEqual([]);
  expect(keys(all)[0]).toBe('twice/1');
  all.decide([find(all, 'twice/1')], { done: 'deleted' });
  all.decide([find(all, 'early/1')], { done: 'nothing' });
  expect(requests).toEqual([['report:close', { id: 'c', done: 'deleted', all: true }]]);
  all.decide([find(all, 'held/waits')], { done: 'rejected', reason: 'No' });
  all.flush();
  await vi.advanceTimersByTimeAsync(0);
  expect(requests.slice(1)).toEqual([
    ['report:close', { id: 'b', done: 'nothing', all: true }],
    ['held:reject', { id: 'waits', reason: 'No' }],
  ]);
  expect(keys(all)).toEqual(['late/1']);
  expect(all.decidedToday).toBe(7);
});

test('approves a message, but not a preview that arrived after the decision', async () => {
  const preview = { url: 'https://a.example/' };
  answers['held:list'] = () => ({ held: [held('waits', 20, { preview })] });
  const all = queue();
  await all.load();
  all.decide([find(all, 'held/waits')], { done: 'approved' });
  const shown = held('waits', 20, { preview: { ...preview, title: 'Casino' } });
  all.held({ id: 'waits', room: 'lobby', is: 'held', held: shown });
  await vi.advanceTimersByTimeAsync(8000);
  expect(requests).toContainEqual(['held:approve', { id: 'waits', preview: false }]);
});

test('sends a decision delayed by a session check only if the same moderator returns', async () => {
  for (const [user, sent] of [
    [alice, [['held:approve', { id: 'waits' }]]],
    [bob, []],
  ] as const) {
    me = alice;
    const all = queue();
    await all.load();
    all.decide([find(all, 'held/waits')], { done: 'approved' });
    all.clear();
    // A second clear stands for a session that ended permanently.
    all.clear();
    requests = [];
    await vi.advanceTimersByTimeAsync(10_000);
    expect(requests).toEqual([]);
    me = user;
    all.ready();
    await vi.advanceTimersByTimeAsync(0);
    expect(requests.filter(([name]) => !/:list$/.test(String(name)))).toEqual(sent);
    expect(keys(all).includes('held/waits')).toBe(user === bob);
    all.clear();
    all.ready();
    await vi.advanceTimersByTimeAsync(0);
    expect(requests.filter(([name]) => name === 'held:approve')).toHaveLength(sent.length);
  }
});

test.each([
  ['that waited for a connection', 'lost'],
  ['that was in flight', 'ready'],
])('sends a decision %s after a session check only if the same moderator returns', async (_, kind) => {
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
    all.decide([find(all, 'held/waits')], { done: 'approved' });
    all.flush();
    all.clear();
    me = undefined as never;
    reject(new RequestError('offline'));
    await vi.advanceTimersByTimeAsync(0);
    me = user;
    connection = { state: { kind: 'ready' } };
    answers['held:approve'] = () => ({});
    requests = [];
    all.ready();
    await vi.advanceTimersByTimeAsync(0);
    expect(requests.filter(([name]) => name === 'held:approve')).toEqual(sent);
    expect(keys(all).includes('held/waits')).toBe(user === bob);
    expect(notices).toEqual([]);
  }
});

test("does not send a decision over another moderator's connection", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  connection = { state: { kind: 'ended' }, connected: () => promise };
  const all = queue();
  await all.load();
  const sent = all.send(find(all, 'held/waits'), { done: 'approved' });
  me = bob;
  resolve();
  await expect(sent).rejects.toThrow(RequestError);
  expect(requests.filter(([name]) => name === 'held:approve')).toEqual([]);
});

test('drops an interrupted decision after a minute, even if the computer slept', async () => {
  for (const pass of [
    () => vi.advanceTimersByTimeAsync(60_000),
    async () => void vi.setSystemTime(Date.now() + 60_000),
  ]) {
    const all = queue();
    await all.load();
    all.decide([find(all, 'held/waits')], { done: 'approved' });
    all.clear();
    expect(vi.getTimerCount()).toBe(1);
    await pass();
    requests = [];
    all.ready();
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(requests.filter(([name]) => name === 'held:approve')).toEqual([]);
    expect(keys(all)).toContain('held/waits');
  }
});

test('removes a case decided by another moderator and announces it once', async () => {
  const all = queue();
  await all.load();
  expect(keys(all)).toHaveLength(4);
  const closed = { by: bob, done: 'nothing', at: 1 } as const;
  all.reported({ report: report('c', 'twice', 30, { closed }) });
  expect([keys(all)[0], notices]).toEqual(['twice/1', []]);
  all.reported({ report: report('a', 'twice', 50, { closed }) });
  expect(notices.splice(0)).toEqual([['meanwhile', 'twice/1', 'Bob', 'nothing', false]]);
  // Alice decided this case in another window.
  all.reported({ report: report('b', 'early', 10, { closed: { ...closed, by: me } }) });
  all.held({ id: 'waits', room: 'lobby', is: 'discarded' });
  expect([keys(all), notices]).toEqual([['late/1'], []]);
  answers['report:close'] = () => ({ report: report('d', 'late', 40, { closed }) });
  expect(await all.send(find(all, 'late/1'), { done: 'deleted' })).toBe(false);
  expect(notices).toEqual([['meanwhile', 'late/1', 'Bob', 'nothing', true]]);
  expect(keys(all)).toEqual([]);
});

test('drops a decision that can still be undone when another moderator decides', async () => {
  const all = queue();
  await all.load();
  requests = [];
  all.decide([find(all, 'held/waits')], { done: 'approved' });
  all.held({ id: 'waits', room: 'lobby', is: 'rejected', by: bob });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(requests).toEqual([]);
  expect(notices).toEqual([['meanwhile', 'held/waits', 'Bob', 'rejected', true]]);
});

test('restores a case whose decision is rejected', async () => {
  answers['report:close'] = forbidden;
  const all = queue();
  await all.load();
  all.decide([find(all, 'early/1')], { done: 'deleted' });
  await vi.advanceTimersByTimeAsync(8000);
  expect(notices).toEqual([['refused', 'early/1', 'forbidden']]);
  expect(keys(all)).toContain('early/1');
});

test('keeps the position of a case while other moderators close its reports', async () => {
  const all = queue();
  await all.load();
  expect(keys(all)[0]).toBe('twice/1');
  all.reported({ report: report('c', 'twice', 30, { closed: { by: bob, done: 'nothing', at: 1 } }) });
  expect(keys(all)).toEqual(['twice/1', 'early/1', 'held/waits', 'late/1']);
});

test('does not request a rejected page of the log again', async () => {
  const acts = Array.from({ length: 100 }, (_, n) => ({ kind: 'pinned', by: bob, at: Date.now() - n }));
  answers['moderate:acts'] = async ({ cursor }: { cursor?: string }) => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (cursor !== undefined) throw new RequestError('rate_limited');
    return { acts, next: 'more' };
  };
  const log = new LogPage({ chat: desk(), changed: () => {} } as unknown as DeskContext);
  log.open();
  await vi.advanceTimersByTimeAsync(1000);
  expect(requests).toHaveLength(2);
});

test('ignores the response to an earlier request of a list', async () => {
  const requested: PromiseWithResolvers<readonly [string[], undefined]>[] = [];
  const ask = () => {
    const response = Promise.withResolvers<readonly [string[], undefined]>();
    requested.push(response);
    return response.promise;
  };
  const pages = new Pages<string>(desk(), ask, () => {});
  const [first, second] = [pages.load(), pages.load()];
  requested[1]?.resolve([['new'], undefined]);
  await second;
  requested[0]?.resolve([['old'], undefined]);
  await first;
  expect(pages.items).toEqual(['new']);
});

test('converts the section and entry to a URL fragment and back', () => {
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

test('quotes CSV cells and escapes formulas', () => {
  expect(
    csvOf([
      ['a', 'b, "c"', 'two\nlines'],
      ['=1+1', '-x', '@x'],
      [' +1', '＝1', 'a;b', '\n'],
    ]),
  ).toBe('a,"b, ""c""","two\nlines"\r\n\'=1+1,\'-x,\'@x\r\n\' +1,\'＝1,"a;b","\'\n"\r\n');
});

test('escapes formulas in CSV also for readers that split at `;`', () => {
  const table = csvOf([
    ['7', "x;=cmd|' /C calc'!A0;y", 'spam'],
    ['8', 'x; +1;y', 'two\n@lines'],
    ['9', 'x;\t-1', 'x\t=1'],
    // CSV doubles the quote, so other readers see an empty quoted cell followed by the formula.
    ['10', 'x;"=1+1;y', 'x; "+1'],
  ]);
  const cells = Array.from(
    table.matchAll(/(?<=^|[;\t\r\n])(?:"((?:[^"]|"")*)"(?!"))?([^;\t\r\n]*)/g),
    ([, quoted = '', rest = '']) => quoted + rest,
  );
  expect(cells.filter((cell) => /^\s*[=+\-@]/.test(cell))).toEqual([]);
});

test('recognises keys by letter or position, without modifiers', () => {
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
