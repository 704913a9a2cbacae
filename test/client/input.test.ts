import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PeopleSite, say, startPeopleSite } from '../helpers/people.ts';
import { type ChatPage, openPage, textOf, until } from './open-page.ts';

/** jsdom sends the origin of an upload only for another origin. */
const shop = 'http://127.0.0.1:1';
let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_ORIGINS: shop });
});
afterAll(() => site.close());

/** Opens a new room of a new user. */
async function room(name: string, ...others: string[]): Promise<ChatPage> {
  const alice = await site.person({ firstname: 'Alice' });
  for (const other of others) await site.den(alice, [], { name: other });
  const { id } = await site.den(alice, [], { name });
  await alice.request('room:join', { room: id });
  await say(alice, id, 'Gate opens at six.');
  const page = await openPage(shop, alice.cookie, { attributes: { server: site.chat.url } });
  await page.open(name);
  return page;
}

const field = (page: ChatPage) => page.root.querySelector('textarea') as HTMLTextAreaElement;

/** The Enter with which Safari ends a composition: only the key code shows that it chooses a word. */
const endsWord = { isComposing: false, keyCode: 229 };

test('does not rename a room with the Enter that ends a word of an input method', async () => {
  const page = await room('harbour');
  await page.click('button', 'harbour', await page.get('region', 'harbour'));
  const details = await page.get('complementary', 'Details');
  await page.click('tab', 'Settings', details);
  await page.fill('textbox', 'Name', 'minato', details);
  page.press('Enter', endsWord);
  await page.drawn();
  expect(page.wire.sent.map(([name]) => name)).not.toContain('room:update');
  page.press('Enter');
  await page.sees('minato', page.all('navigation')[0]);
});

test('does not choose a room with the Enter that ends a word of an input method', async () => {
  const page = await room('bridge', 'quay', ...Array.from({ length: 20 }, (_, n) => `dock ${n}`));
  const list = page.all('navigation')[0] as HTMLElement;
  await page.fill('searchbox', 'Room or person', 'quay', list);
  page.press('Enter', endsWord);
  page.press('Escape', endsWord);
  await page.drawn();
  expect((page.all('searchbox', 'Room or person', list)[0] as HTMLInputElement).value).toBe('quay');
  await page.get('region', 'bridge');
  // The same in the dialog that forwards a message.
  (await page.message('Gate opens at six.')).focus();
  page.press('f');
  const dialog = await page.get('dialog', 'Forward');
  await page.fill('searchbox', 'Room or person', 'quay', dialog);
  page.press('Enter', endsWord);
  await page.drawn();
  const chosen = () =>
    page.all('checkbox', undefined, dialog).map((box) => (box as HTMLInputElement).checked);
  expect(chosen()).toEqual([false]);
  page.press('Enter');
  await until(() => expect(chosen()).toEqual([true]));
});

test.each([endsWord, { isComposing: true, keyCode: 229 }])(
  'keeps an edit when Esc discards a word of an input method: %o',
  async (over) => {
    const page = await room('words');
    (await page.message('Gate opens at six.')).focus();
    page.press('e');
    await page.get('textbox', 'Edit message');
    page.press('Escape', over, field(page));
    await page.drawn();
    await page.get('textbox', 'Edit message');
    page.press('Escape', {}, field(page));
    await page.get('textbox', /^Message to/);
  },
);

interface Given {
  readonly text?: string;
  readonly types?: readonly string[];
  readonly addresses?: string;
  readonly files?: readonly string[];
  readonly folders?: readonly string[];
}

/** Pastes or drops as the browser does. jsdom has no class for the data. Returns whether the browser's own action follows. */
function give(page: ChatPage, type: 'paste' | 'drop', given: Given, target: Element = field(page)): boolean {
  const { text = '', types = [], addresses = '', files = [], folders = [] } = given;
  const { File, Event } = page.window;
  const all = [...files, ...folders].map((name) => new File(['words'], name));
  const contents: Record<string, string> = { 'text/plain': text, 'text/uri-list': addresses };
  const data = {
    types: [
      ...Object.keys(contents).filter((kind) => contents[kind] !== ''),
      ...types,
      ...(all.length > 0 ? ['Files'] : []),
    ],
    files: all,
    items: all.map((file) => ({
      kind: 'file',
      getAsFile: () => file,
      webkitGetAsEntry: () => ({ isDirectory: folders.includes(file.name) }),
    })),
    getData: (kind: string) => contents[kind] ?? '',
  };
  const event = new Event(type, { bubbles: true, composed: true, cancelable: true });
  Object.defineProperty(event, type === 'paste' ? 'clipboardData' : 'dataTransfer', { value: data });
  return target.dispatchEvent(event);
}

const tiles = (page: ChatPage): Record<string, string> => {
  const [tray] = page.all('group', 'Attachments');
  const all = tray === undefined ? [] : page.all('group', undefined, tray);
  return Object.fromEntries(all.map((tile) => [tile.getAttribute('aria-label') ?? '', textOf(tile)]));
};

test('attaches a file that was copied in a file manager, not its name', async () => {
  const page = await room('copied');
  expect(give(page, 'paste', { text: 'plan.txt', files: ['plan.txt'] })).toBe(false);
  await until(() => expect(Object.keys(tiles(page))).toEqual(['plan.txt']));
  expect(field(page).value).toBe('');
});

test.each([['text/html'], ['text/rtf']])(
  'pastes the text of an office program, not its picture: %s',
  async (type) => {
    const page = await room('office');
    expect(give(page, 'paste', { text: 'Total\t5\v', types: [type], files: ['image.png'] })).toBe(false);
    await until(() => expect(field(page).value).toBe('Total\t5\n'));
    expect(tiles(page)).toEqual({});
  },
);

test.each<[string, Given]>([
  ['copied', { types: ['text/html'], files: ['image.png'] }],
  [
    'dragged with its address',
    {
      ...{ text: 'https://garden.example/rose.png', addresses: 'https://garden.example/rose.png' },
      ...{ types: ['text/html'], files: ['image.png'] },
    },
  ],
])('attaches a picture of another page: %s', async (_, given) => {
  const page = await room('pictures');
  expect(give(page, 'paste', given)).toBe(false);
  await until(() => expect(Object.keys(tiles(page))).toEqual(['image.png']));
});

test('takes a link that is dropped anywhere on the room into the text, without leaving the page', async () => {
  const page = await room('links');
  const given = { text: 'https://garden.example/', addresses: 'https://garden.example/' };
  await page.fill('textbox', /^Message to/, 'see');
  expect(give(page, 'drop', given, page.timeline)).toBe(false);
  await until(() => expect(field(page).value).toBe('see https://garden.example/'));
  // In the field, the browser inserts it where it is dropped.
  expect(give(page, 'drop', given)).toBe(true);
});

test('says that a folder cannot be sent, and sends the files beside it', async () => {
  const page = await room('folders');
  give(page, 'drop', { files: ['plan.txt'], folders: ['Photos'] }, page.timeline);
  await until(() =>
    expect(tiles(page)).toEqual({
      'plan.txt': expect.stringContaining('5 bytes'),
      Photos: expect.stringContaining('A folder can’t be sent. Send the files in it.'),
    }),
  );
  expect(page.all('button', 'Retry')).toEqual([]);
  expect(page.wire.sent.filter(([name]) => name === 'message:send')).toEqual([]);
});
