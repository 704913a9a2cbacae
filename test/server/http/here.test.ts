import { expect, test } from 'vitest';
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
  open(page: string, as?: string): Promise<{ status: number; ids: string[] | undefined }>;
}

async function reader(id: number, ownName = `User ${id}`): Promise<Reader> {
  const cookie = await site.session(id, ownName);
  return {
    id: String(id),
    cookie,
    async open(page, as = String(id)) {
      const url = `${site.chat.url}/here?${new URLSearchParams({ page, user: as })}`;
      const answer = await fetch(url, { headers: { cookie, 'sec-fetch-site': 'same-origin' } });
      const { here, avatar } = (await answer.json()) as {
        here?: { id: string; name: string }[];
        avatar?: string;
      };
      expect(avatar).toBe(here && '/avatars/{id}.svg');
      for (const { name, ...rest } of here ?? [])
        expect({ name, ...rest }).toEqual({ id: rest.id, name: `User ${rest.id}` });
      return { status: answer.status, ids: here?.map((user) => user.id) };
    },
  };
}

test('shows the other readers of the same page, the newest first, and at most five', async () => {
  const [page, other] = [newPage(), newPage()];
  const readers = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((id) => reader(id)));
  expect(await readers[0]?.open(page)).toEqual({ status: 200, ids: [] });
  for (const one of readers.slice(1)) await one.open(page);
  expect((await readers[0]?.open(page))?.ids).toEqual(['7', '6', '5', '4', '3']);
  // A repeated request makes the reader the newest.
  expect((await readers[1]?.open(page))?.ids).toEqual(['1', '7', '6', '5', '4']);
  expect((await readers[1]?.open(other))?.ids).toEqual([]);
});

test('shows a user only on the latest 20 pages', async () => {
  const pages = Array.from({ length: 21 }, newPage);
  const [ann, ben] = await Promise.all([reader(41), reader(42)]);
  for (const page of pages) await ann.open(page);
  // Reading a page again does not count twice.
  await ann.open(pages[20] as string);
  const shown = await Promise.all([0, 1, 20].map(async (n) => (await ben.open(pages[n] as string)).ids));
  expect(shown).toEqual([[], [ann.id], [ann.id]]);
});

test('requires the own user ID, a page and a login', async () => {
  const page = newPage();
  const [ann, ben] = await Promise.all([reader(11), reader(12)]);
  await ben.open(page);
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
  const [ann, ben, cem] = await Promise.all([reader(21), reader(22), reader(23)]);
  const client = await connectChat(site.chat.url, ann.cookie);
  await client.request('user:block', { user: ben.id, blocked: true });
  client.close();
  for (const one of [ann, ben, cem]) await one.open(page);
  expect((await ann.open(page)).ids).toEqual([cem.id]);
  expect((await ben.open(page)).ids).toEqual([cem.id]);
  expect((await cem.open(page)).ids?.sort()).toEqual([ann.id, ben.id]);
});

test('shows the ID of a user whose name has a word of CHAT_HOLD_WORDS', async () => {
  const page = newPage();
  const [ann, ben] = await Promise.all([reader(51), reader(52, 'Casino Bonus')]);
  await ben.open(page);
  const url = `${site.chat.url}/here?${new URLSearchParams({ page, user: ann.id })}`;
  const answer = await fetch(url, { headers: { cookie: ann.cookie, 'sec-fetch-site': 'same-origin' } });
  expect(await answer.json()).toMatchObject({ here: [{ id: ben.id, name: ben.id }] });
});

test('does not show a banned user', async () => {
  const page = newPage();
  const [ann, ben] = await Promise.all([reader(31), reader(32)]);
  await ben.open(page);
  expect(await site.api('PUT', `/users/${ben.id}/ban`, {})).toMatchObject({ status: 200 });
  expect((await ann.open(page)).ids).toEqual([]);
  expect((await ben.open(page)).ids).toBeUndefined();
});
