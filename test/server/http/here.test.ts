import { expect, onTestFinished, test, vi } from 'vitest';
import { connectChat } from '../../helpers/chat-client.ts';
import { sharedSite, startPeopleSite } from '../../helpers/people.ts';

const site = sharedSite(() =>
  startPeopleSite({ CHAT_HOLD_WORDS: 'casino', CHAT_USER_AVATAR: '/avatars/{id}.svg' }),
);

let pages = 0;
const newPage = () => `/page/${++pages}`;

interface Reader {
  readonly id: string;
  readonly cookie: string;
  /** Opens the page and returns the IDs of the others. */
  open(page: string, as?: string): Promise<{ status: number; ids: string[] | undefined; nextMs?: number }>;
}

/** Stops the server's monotonic clock. @returns a function that moves it forward */
function clock(): (ms: number) => void {
  // Whole milliseconds, because 30 s after a time with a fraction can be less than 30,000 ms later.
  let now = Math.round(performance.now());
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => now);
  onTestFinished(() => void spy.mockRestore());
  return (ms) => {
    now += ms;
  };
}

async function reader(id: number, ownName = `User ${id}`, at = site): Promise<Reader> {
  const cookie = await at.session(id, ownName);
  return {
    id: String(id),
    cookie,
    async open(page, as = String(id)) {
      const url = `${at.chat.url}/here?${new URLSearchParams({ page, user: as })}`;
      const answer = await fetch(url, { headers: { cookie, 'sec-fetch-site': 'same-origin' } });
      const { here, avatar, nextMs } = (await answer.json()) as {
        here?: { id: string; name: string }[];
        avatar?: string;
        nextMs?: number;
      };
      expect(nextMs === undefined).toBe(here === undefined);
      expect(avatar).toBe(here && '/avatars/{id}.svg');
      for (const { name, ...rest } of here ?? [])
        expect({ name, ...rest }).toEqual({ id: rest.id, name: `User ${rest.id}` });
      return {
        status: answer.status,
        ids: here?.map((user) => user.id),
        nextMs,
      };
    },
  };
}

test('shows the other readers of the same page, the newest first, and at most five', async () => {
  const [page, other] = [newPage(), newPage()];
  const pass = clock();
  const readers = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((id) => reader(id)));
  for (const one of readers) expect((await one.open(page)).ids).toEqual([]);
  pass(30_000);
  expect(await readers[0]?.open(page)).toEqual({
    status: 200,
    ids: ['7', '6', '5', '4', '3'],
    nextMs: 30_000,
  });
  // Repeated requests do not hide the other readers.
  for (let n = 0; n < 3; n++) for (const one of readers.slice(0, 5)) await one.open(page);
  expect((await readers[1]?.open(page))?.ids).toEqual(['7', '6', '5', '4', '3']);
  expect((await readers[1]?.open(other))?.ids).toEqual([]);
});

test('shows a user to others for 30 s before the user sees them', async () => {
  const page = newPage();
  const pass = clock();
  const [ann, ben] = await Promise.all([reader(43), reader(44)]);
  await ben.open(page);
  pass(29_000);
  const first = await ann.open(page);
  expect(first).toEqual({ status: 200, ids: [], nextMs: 30_000 });
  pass(2000);
  expect((await ben.open(page)).ids).toEqual([ann.id]);
  const early = await ann.open(page);
  expect(early.ids).toEqual([]);
  expect(early.nextMs).toBe(28_000);
  pass(early.nextMs ?? 0);
  expect((await ann.open(page)).ids).toEqual([ben.id]);
  // After an absence, the user is shown first again.
  pass(46_000);
  await ben.open(page);
  expect((await ann.open(page)).ids).toEqual([]);
});

test('shows a user, and shows others to the user, on one page at a time', async () => {
  const pass = clock();
  const pages = Array.from({ length: 300 }, newPage);
  const [ann, ben] = await Promise.all([reader(41), reader(42)]);
  const [page = '', other = ''] = pages;
  await ben.open(page);
  await ann.open(page);
  pass(30_000);
  for (const each of [...pages.slice(1), page]) expect((await ann.open(each)).ids).toEqual([]);
  expect((await ben.open(page)).ids).toEqual([ann.id]);
  await ann.open(other);
  expect((await ben.open(page)).ids).toEqual([]);
});

test('shows nobody with CHAT_FIND_PEOPLE=off', async () => {
  const closed = await startPeopleSite({ CHAT_FIND_PEOPLE: 'off', CHAT_USER_AVATAR: '/avatars/{id}.svg' });
  onTestFinished(() => closed.close());
  const ann = await reader(61, 'User 61', closed);
  expect(await ann.open(newPage())).toEqual({ status: 200, ids: undefined });
});

test('requires the own user ID, a page and a login', async () => {
  const page = newPage();
  const [ann, ben] = await Promise.all([reader(11), reader(12)]);
  for (const one of [ann, ben]) await one.open(page);
  for (const as of ['', '12', '11 '])
    expect(await ann.open(page, as)).toEqual({ status: 200, ids: undefined });
  for (const bad of ['', 'x'.repeat(251)]) expect((await ann.open(bad)).ids).toBeUndefined();
  expect((await ben.open(page)).ids).toEqual([]);
  const url = `${site.chat.url}/here?page=${encodeURIComponent(page)}&user=11`;
  const stranger = await fetch(url, { headers: { 'sec-fetch-site': 'same-origin' } });
  expect(await stranger.json()).toEqual({});
  const foreign = await fetch(url, { headers: { cookie: ann.cookie, origin: 'https://evil.example' } });
  expect(foreign.status).toBe(403);
});

test('hides two users from each other if one blocked the other', async () => {
  const page = newPage();
  const pass = clock();
  const [ann, ben, cem] = await Promise.all([reader(21), reader(22), reader(23)]);
  const client = await connectChat(site.chat.url, ann.cookie);
  await client.request('user:block', { user: ben.id, blocked: true });
  client.close();
  for (const one of [ann, ben, cem]) await one.open(page);
  pass(30_000);
  expect((await ann.open(page)).ids).toEqual([cem.id]);
  expect((await ben.open(page)).ids).toEqual([cem.id]);
  expect((await cem.open(page)).ids?.sort()).toEqual([ann.id, ben.id]);
});

test('shows other readers to a user who blocked the newest ones', async () => {
  const page = newPage();
  const pass = clock();
  const [ann, ben] = await Promise.all([reader(71), reader(72)]);
  const unwanted = await Promise.all(Array.from({ length: 41 }, (_, n) => reader(100 + n)));
  const client = await connectChat(site.chat.url, ann.cookie);
  for (const { id } of unwanted) await client.request('user:block', { user: id, blocked: true });
  client.close();
  for (const one of [ann, ben, ...unwanted]) await one.open(page);
  pass(30_000);
  expect((await ann.open(page)).ids).toEqual([ben.id]);
});

test('shows the ID of a user whose name has a word of CHAT_HOLD_WORDS', async () => {
  const page = newPage();
  const pass = clock();
  const [ann, ben] = await Promise.all([reader(51), reader(52, 'Casino Bonus')]);
  for (const one of [ann, ben]) await one.open(page);
  pass(30_000);
  const url = `${site.chat.url}/here?${new URLSearchParams({ page, user: ann.id })}`;
  const answer = await fetch(url, { headers: { cookie: ann.cookie, 'sec-fetch-site': 'same-origin' } });
  expect(await answer.json()).toMatchObject({ here: [{ id: ben.id, name: ben.id }] });
});

test('does not show a banned user', async () => {
  const page = newPage();
  const pass = clock();
  const [ann, ben] = await Promise.all([reader(31), reader(32)]);
  for (const one of [ann, ben]) await one.open(page);
  pass(30_000);
  expect((await ann.open(page)).ids).toEqual([ben.id]);
  expect(await site.api('PUT', `/users/${ben.id}/ban`, {})).toMatchObject({ status: 200 });
  expect((await ann.open(page)).ids).toEqual([]);
  expect((await ben.open(page)).ids).toBeUndefined();
});
