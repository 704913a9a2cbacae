import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PeopleSite, type Person, say, startPeopleSite } from '../helpers/people.ts';
import { type ChatPage, openPage, textOf, until } from './open-page.ts';

let site: PeopleSite;
let alice: Person;
beforeAll(async () => {
  site = await startPeopleSite();
  alice = await site.person({ firstname: 'Alice' });
});
afterAll(() => site.close());

/** Opens a new room of Alice with a message. */
async function room(name: string): Promise<{ id: string; page: ChatPage }> {
  const { id } = await site.den(alice, [], { name });
  await alice.request('room:join', { room: id });
  await say(alice, id, 'a message');
  const page = await openPage(site.chat.url, alice.cookie);
  await page.open(name);
  await page.message('a message');
  return { id, page };
}

const field = (page: ChatPage) => page.root.querySelector('textarea') as HTMLTextAreaElement;
const sends = (page: ChatPage) => page.wire.sent.filter(([name]) => name === 'message:send').length;

/** The key of a value of this user in the browser's storage. */
const keyOf = (page: ChatPage, name: string) =>
  (Object.keys(page.window.localStorage).find((key) => key.endsWith('/room')) ?? '').replace(/room$/, name);

/** Changes the storage without the event, which a sleeping page does not get. `null` deletes the value. */
function storeUnheard(page: ChatPage, key: string, value: string | null): void {
  if (value === null) page.window.localStorage.removeItem(key);
  else page.window.localStorage.setItem(key, value);
}

/** Puts the page to sleep and wakes it up: as a hidden tab, or as a page that the browser keeps for Back. */
const sleeps: Record<string, (page: ChatPage, asleep: () => void) => Promise<void>> = {
  'a hidden tab': async (page, asleep) => {
    asleep();
    page.window.document.dispatchEvent(new page.window.Event('visibilitychange'));
  },
  'a page kept for Back': async (page, asleep) => {
    const tell = (name: string) =>
      page.window.dispatchEvent(new page.window.PageTransitionEvent(name, { persisted: true }));
    tell('pagehide');
    asleep();
    tell('pageshow');
    await page.message('a message');
  },
};

test.each(Object.keys(sleeps))('shows the draft that another tab stored while it slept: %s', async (kind) => {
  const { id, page } = await room(`stored ${kind}`);
  const key = keyOf(page, `draft/${id}`);
  await page.fill('textbox', /^Message to/, 'typed here');
  await until(() => expect(page.window.localStorage.getItem(key)).toContain('typed here'));
  await sleeps[kind]?.(page, () => storeUnheard(page, key, JSON.stringify({ text: 'typed there' })));
  await until(() => expect(field(page).value).toBe('typed there'));
});

test.each(Object.keys(sleeps))(
  'does not send a draft that another tab sent while it slept: %s',
  async (kind) => {
    const { id, page } = await room(`sent ${kind}`);
    const key = keyOf(page, `draft/${id}`);
    await page.fill('textbox', /^Message to/, 'sent there');
    await until(() => expect(page.window.localStorage.getItem(key)).toContain('sent there'));
    await sleeps[kind]?.(page, () => storeUnheard(page, key, null));
    await until(() => expect(field(page).value).toBe(''));
    page.press('Enter', {}, field(page));
    await page.drawn();
    expect(sends(page)).toBe(0);
  },
);

test.each(Object.keys(sleeps))('keeps what the user typed last when it falls asleep: %s', async (kind) => {
  const { page } = await room(`typed ${kind}`);
  await page.fill('textbox', /^Message to/, 'half a word');
  await sleeps[kind]?.(page, () => {});
  await until(() => expect(field(page).value).toBe('half a word'));
});

test.each(Object.keys(sleeps))(
  'sends a message that another tab left while it slept, once: %s',
  async (kind) => {
    const { id, page } = await room(`left ${kind}`);
    const item = { clientId: `left-${kind.length}`, room: id, text: 'left there', sentAt: Date.now() };
    await sleeps[kind]?.(page, () =>
      storeUnheard(page, keyOf(page, `out/${item.clientId}`), JSON.stringify(item)),
    );
    await until(async () => expect(textOf(await page.message('left there'))).toMatch(/Sent|Seen/));
    expect(page.window.localStorage.getItem(keyOf(page, `out/${item.clientId}`))).toBeNull();
    expect(sends(page)).toBe(1);
  },
);

test.each(Object.keys(sleeps))(
  'does not send a message that another tab sent while it slept: %s',
  async (kind) => {
    const { id, page } = await room(`gone ${kind}`);
    page.wire.held.add('message:send');
    await page.write('sent there');
    await until(() => expect(sends(page)).toBe(1));
    const key = Object.keys(page.window.localStorage).find((name) => name.includes('/out/')) as string;
    const { clientId } = JSON.parse(page.window.localStorage.getItem(key) as string) as { clientId: string };
    await alice.request('message:send', { room: id, text: 'sent there', clientId });
    await sleeps[kind]?.(page, () => storeUnheard(page, key, null));
    page.wire.held.clear();
    await until(async () => expect(textOf(await page.message('sent there'))).toMatch(/Sent|Seen/));
    expect(sends(page)).toBe(1);
    expect(page.texts).toEqual(['a message', 'sent there']);
  },
);

test('keeps a draft that is written without a connection', async () => {
  const { id, page } = await room('offline');
  page.online(false);
  await page.fill('textbox', /^Message to/, 'written offline');
  await until(() =>
    expect(page.window.localStorage.getItem(keyOf(page, `draft/${id}`))).toContain('written offline'),
  );
  page.online(true);
  await page.sees('Connected');
  expect(field(page).value).toBe('written offline');
});

test('sends the unsent messages of another tab, and shows that it discarded some', async () => {
  const { id, page } = await room('two tabs');
  const put = (clientId: string, more: object) =>
    page.storeElsewhere(
      keyOf(page, `out/${clientId}`),
      JSON.stringify({ clientId, room: id, text: clientId, sentAt: Date.now(), ...more }),
    );
  put('refused-there', { failed: 'forbidden' });
  await page.message('refused-there');
  put('written-there', {});
  await until(async () =>
    expect((await alice.request('message:history', { room: id })).messages.at(-1)?.text).toBe(
      'written-there',
    ),
  );
  page.storeElsewhere(keyOf(page, 'out/refused-there'), null);
  await until(() => expect(page.texts).toEqual(['a message', 'written-there']));
});
