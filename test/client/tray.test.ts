import { afterAll, beforeAll, expect, test } from 'vitest';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { type PeopleSite, startPeopleSite } from '../helpers/people.ts';
import { type ChatPage, openPage, refused, textOf, until } from './open-page.ts';

/** jsdom sends the origin of an upload only for another origin. */
const shop = 'http://127.0.0.1:1';
let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_ORIGINS: shop });
});
afterAll(() => site.close());

/** Opens a room of a new user who may send files. */
async function inDen(): Promise<ChatPage> {
  const alice = await site.person({ firstname: 'Alice' });
  await site.den(alice);
  const page = await openPage(shop, alice.cookie, { attributes: { server: site.chat.url } });
  await page.open('Den');
  return page;
}

/** Chooses files in the browser's dialog. */
async function attach(page: ChatPage, files: Record<string, string | Uint8Array>): Promise<void> {
  const { HTMLInputElement, File, Event } = page.window;
  HTMLInputElement.prototype.click = function () {
    const value = Object.entries(files).map(([name, bytes]) => {
      const type = name.endsWith('.svg') ? 'image/svg+xml' : '';
      return new File([bytes as string], name, { type });
    });
    Object.defineProperty(this, 'files', { value });
    this.dispatchEvent(new Event('change'));
  };
  await page.click('button', 'Attach');
  await page.click('menuitem', 'Attach files');
}

const tiles = (page: ChatPage): Record<string, string> => {
  const [tray] = page.all('group', 'Attachments');
  const all = tray === undefined ? [] : page.all('group', undefined, tray);
  return Object.fromEntries(all.map((tile) => [tile.getAttribute('aria-label') ?? '', textOf(tile)]));
};
const seesTiles = (page: ChatPage, expected: Record<string, string>) =>
  until(() => {
    const entries = Object.entries(expected).map(([name, text]) => [name, expect.stringContaining(text)]);
    expect(tiles(page)).toEqual(Object.fromEntries(entries));
  });
const retry = async (page: ChatPage, name: string) =>
  page.click('button', 'Retry', await page.get('group', name));

const many = 'Up to 10 files per message.';

againInSoak('keeps files over the limit until a file is removed or the message is sent', async () => {
  const page = await inDen();
  const names = Array.from({ length: 12 }, (_, n) => `${n}.txt`);
  await attach(page, Object.fromEntries(names.map((name) => [name, 'words'])));
  const ten = Object.fromEntries(names.slice(0, 10).map((name) => [name, '5 bytes']));
  await seesTiles(page, { ...ten, '10.txt': many, '11.txt': many });
  expect(page.all('button', 'Retry')).toEqual([]);
  await page.click('button', 'Remove 0.txt');
  await retry(page, '10.txt');
  const { '0.txt': _, ...rest } = ten;
  await seesTiles(page, { ...rest, '10.txt': '5 bytes', '11.txt': many });
  expect(page.all('button', 'Retry')).toEqual([]);
  await page.click('button', 'Send');
  await until(() => expect(page.all('link', undefined, page.messages.at(-1))).toHaveLength(10));
  await seesTiles(page, { '11.txt': many });
  await retry(page, '11.txt');
  await page.click('button', 'Send');
  await until(() => expect(textOf(page.messages.at(-1) ?? null)).toContain('11'));
  expect(tiles(page)).toEqual({});
});

test('shows the files of the draft in another tab, and removes those that it sent', async () => {
  const page = await inDen();
  await attach(page, { 'plan.txt': 'words' });
  await seesTiles(page, { 'plan.txt': '5 bytes' });
  const { localStorage } = page.window;
  const [key, tray] = await until(() => {
    const [entry] = Object.entries({ ...localStorage }).filter(([key]) => key.includes('/tray/'));
    expect(entry?.[1]).toContain('"stored":{');
    return entry as [string, string];
  });
  const [file] = JSON.parse(tray);
  page.storeElsewhere(key, JSON.stringify([file, { ...file, key: 'from-another-tab', name: 'map.txt' }]));
  await seesTiles(page, { 'plan.txt': '5 bytes', 'map.txt': '5 bytes' });
  page.storeElsewhere(key, null);
  await until(() => expect(tiles(page)).toEqual({}));
});

test('schedules files once the server has them, and repeats a failed request with the same ID', async () => {
  const page = await inDen();
  await attach(page, { 'plan.txt': 'words' });
  await seesTiles(page, { 'plan.txt': '5 bytes' });
  const later = async () => {
    await page.click('button', 'Send later');
    // In the last hour of a day, "in an hour" is also tomorrow.
    await page.click('menuitem', /^Tomorrow, 0?9:00/);
  };
  const requests = () => page.wire.sent.filter(([name]) => name === 'scheduled:add');
  page.wire.answers.set('scheduled:add', refused);
  await later();
  await until(() => expect(requests()).toHaveLength(1));
  page.wire.answers.delete('scheduled:add');
  await seesTiles(page, { 'plan.txt': '5 bytes' });
  await later();
  await page.sees('Scheduled messages · 1');
  expect(tiles(page)).toEqual({});
  const [first, second] = requests().map(([, payload]) => payload);
  expect(second).toMatchObject({ clientId: (first as { clientId: string }).clientId });
  await page.click('button', 'Show');
  await page.sees('plan.txt');
});

test('keeps a file that is attached while the message is being scheduled', async () => {
  const page = await inDen();
  await attach(page, { 'plan.txt': 'words' });
  await seesTiles(page, { 'plan.txt': '5 bytes' });
  const delayed: (() => void)[] = [];
  const { prototype } = page.window.WebSocket;
  const { send } = prototype;
  prototype.send = function (packet) {
    if (!String(packet).includes('scheduled:add')) return send.call(this, packet);
    delayed.push(() => send.call(this, packet));
  };
  await page.click('button', 'Send later');
  await page.click('menuitem', /^Tomorrow, 0?9:00/);
  await until(() => expect(delayed).toHaveLength(1));
  await attach(page, { 'map.txt': 'words' });
  await seesTiles(page, { 'plan.txt': '5 bytes', 'map.txt': '5 bytes' });
  delayed[0]?.();
  await page.sees('Scheduled messages · 1');
  await seesTiles(page, { 'map.txt': '5 bytes' });
});

test('sends a text that is too long as a file', async () => {
  const page = await inDen();
  await page.fill('textbox', /^Message to/, 'x'.repeat(4010));
  await page.click('button', 'Send as a file');
  await seesTiles(page, { 'text.txt': 'kB' });
  await page.gone('button', 'Send as a file');
  const field = await page.get('textbox', /^Message to/);
  expect((field as HTMLTextAreaElement).value).toBe('');
  await page.click('button', 'Send');
  await until(() => expect(page.all('link', /^text/, page.messages.at(-1))).toHaveLength(1));
  await page.get('button', /You ?: 1 file/);
});

test('moves the focus to the field after files were chosen, and shows an SVG picture as a file', async () => {
  const page = await inDen();
  await attach(page, { 'plan.svg': '<svg/>' });
  await seesTiles(page, { 'plan.svg': '6 bytes' });
  expect(page.focused).toBe(await page.get('textbox', /^Message to/));
  expect(page.all('button', /^Describe/)).toEqual([]);
});

test('keeps uploaded files through a reload, and names a file that was not uploaded', async () => {
  const page = await inDen();
  await attach(page, { 'a.exe': 'MZ\0\0\0\0', 'up.txt': 'words', 'huge.zip': new Uint8Array(11 * 2 ** 20) });
  await seesTiles(page, {
    'a.exe': 'This kind of file isn’t allowed.',
    'up.txt': '5 bytes',
    'huge.zip': 'Larger than 10 MB',
  });
  await page.click('button', 'Remove a.exe');
  // A tile shows its size from the start.
  await until(() => expect(page.all('progressbar')).toEqual([]));
  const again = await page.reload();
  await again.open('Den');
  await seesTiles(again, { 'up.txt': '5 bytes', 'huge.zip': 'Not uploaded.' });
  await again.click('button', 'Send');
  await until(() => expect(again.all('link', /^up/, again.messages.at(-1))).toHaveLength(1));
  await seesTiles(again, { 'huge.zip': 'Not uploaded.' });
});

test('uploads files that waited offline, in the tray and in a message', async () => {
  const page = await inDen();
  page.online(false);
  await page.sees(/offline/);
  await attach(page, { 'sent.txt': 'words' });
  await page.click('button', 'Send');
  await attach(page, { 'kept.txt': 'words' });
  await page.sees('Waiting for connection');
  expect(page.all('link', /^sent/)).toEqual([]);
  page.online(true);
  await page.get('link', /^sent/);
  await seesTiles(page, { 'kept.txt': '5 bytes' });
});
