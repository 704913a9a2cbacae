import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { upload as uploaded } from '../helpers/files.ts';
import { mp4, wav } from '../helpers/media.ts';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, Person, test } from './fixtures.ts';
import { tellKept } from './kept-page.ts';
import { seed } from './seed.ts';

const picture = (color: string, width = 600, height = 400) =>
  sharp({ create: { width, height, channels: 3, background: color } })
    .png()
    .toBuffer();

/** Chooses files like a user who has pressed the button. */
async function attach(
  person: Person,
  files: string | string[] | { name: string; mimeType: string; buffer: Buffer }[],
) {
  const chosen = person.page.waitForEvent('filechooser');
  await person.page.getByRole('button', { name: 'Attach files' }).click();
  await (await chosen).setFiles(files);
}
const tray = (person: Person) => person.page.getByRole('group', { name: 'Attachments' });

test('pictures and a file: described, sent, seen by others, and seen large', async ({ alice, bob, site }) => {
  const room = await privateRoom(site, 'alice', 'pictures', ['2']);
  await alice.open('pictures');
  await bob.open('pictures');
  await attach(alice, [
    { name: 'noon.png', mimeType: 'image/png', buffer: await picture('#7aa') },
    { name: 'shed.png', mimeType: 'image/png', buffer: await picture('#a77', 300, 500) },
    { name: 'layout-final.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7\n%%EOF\n') },
  ]);
  const tiles = tray(alice).getByRole('group');
  await expect(tiles).toHaveCount(3);
  await expect(tray(alice).getByRole('progressbar')).toHaveCount(0);
  await expect(alice.page.getByRole('status').filter({ hasText: /^\S+ uploaded$/ })).toBeAttached();
  // By keyboard: a single tab stop, arrows within, Enter describes, Del removes.
  await alice.field.focus();
  await alice.page.keyboard.press('Shift+Tab');
  await alice.page.keyboard.press('Shift+Tab');
  await expect(tiles.first()).toBeFocused();
  await alice.page.keyboard.press('Enter');
  const dialog = alice.page.getByRole('dialog', { name: 'Describe this picture' });
  // The field has the focus, and shows it.
  await expect(dialog.getByLabel('For people who can’t see it')).toHaveCSS('outline-style', 'solid');
  await dialog.getByLabel('For people who can’t see it').fill('The orchard at noon');
  expect(await faultsIn(alice.page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(alice.page.getByRole('button', { name: 'Describe noon.png, done' })).toBeVisible();
  await alice.shot('tray');
  await alice.write('From this morning');
  await expect(tray(alice)).toHaveCount(0);

  const sent = bob.messages.last();
  await expect(sent).toHaveAccessibleDescription(
    /The orchard at noon shed\.png layout-final ?\.pdf .*From this morning$/,
  );
  const noon = sent.getByRole('button', { name: 'The orchard at noon' });
  await expect(noon.locator('img')).toHaveJSProperty('complete', true);
  await expect(noon.locator('canvas')).toHaveCount(0);
  await expect(sent.getByRole('link', { name: /^layout-final ?\.pdf PDF, \d+ byte/ })).toBeVisible();
  await bob.shot('files');

  await noon.click();
  const large = bob.page.getByRole('dialog', { name: 'Picture 1 of 2' });
  await expect(large.getByRole('img', { name: 'The orchard at noon' })).toBeVisible();
  expect(await faultsIn(bob.page)).toEqual([]);
  await bob.page.keyboard.press('ArrowRight');
  await expect(bob.page.getByRole('dialog', { name: 'Picture 2 of 2' })).toContainText('shed.png · 2 of 2');
  await expect(bob.page.getByRole('button', { name: 'Next picture' })).toHaveCount(0);
  await bob.shot('large-view');
  // Neither a vanishing button nor a click on the picture takes the focus away.
  await bob.page.getByRole('button', { name: 'Previous picture' }).click();
  await expect(bob.page.getByRole('button', { name: 'Next picture' })).toBeFocused();
  await large.getByRole('img', { name: 'The orchard at noon' }).click();
  await bob.page.keyboard.press('ArrowRight');
  await expect(bob.page.getByRole('dialog', { name: 'Picture 2 of 2' })).toBeVisible();
  // Dragged, and released beside it.
  await bob.page.mouse.move(640, 400);
  await bob.page.mouse.down();
  await bob.page.mouse.move(100, 400);
  await bob.page.mouse.up();
  await bob.page.keyboard.press('Tab');
  await expect(bob.page.getByRole('link', { name: 'Save picture' })).toBeFocused();
  await bob.page.keyboard.press('Escape');
  await expect(bob.page.getByRole('dialog')).toHaveCount(0);
  await expect(noon).toBeFocused();

  // Files that were there before their code was loaded are shown too, and requested once.
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room });
    await ask('message:react', { room, seq: 1, emoji: '👍', on: true });
  });
  const free = Promise.withResolvers<void>();
  await bob.page.route(/\/assets\/panels-/, async (route) => {
    await free.promise;
    await route.continue();
  });
  const asked: string[] = [];
  bob.page.on('request', (request) => {
    if (request.url().includes('/files/')) asked.push(request.url());
  });
  await bob.page.reload();
  await expect(bob.messages.last()).toContainText('From this morning');
  await expect(sent.locator('img')).toHaveCount(0);
  free.resolve();
  await expect(noon.locator('img')).toHaveJSProperty('complete', true);
  await expect(noon.locator('canvas')).toHaveCount(0);
  await expect(sent.getByRole('button', { name: '👍 1' })).toBeVisible();
  expect(asked.filter((url) => url.includes('noon'))).toHaveLength(1);

  // A deleted message is gone with its files.
  await alice.messages.last().focus();
  await alice.page.keyboard.press('Delete');
  await alice.page.getByRole('button', { name: 'Delete' }).last().click();
  await expect(bob.messages.last()).toContainText('Message deleted');
  await expect(bob.timeline.locator('img')).toHaveCount(0);
});

test('sending waits for nothing: the message stands there with its progress, and goes when the file is up', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  await privateRoom(site, 'alice', 'waiting', ['2']);
  await alice.open('waiting');
  await bob.open('waiting');
  const held = Promise.withResolvers<void>();
  await alice.page.route('**/files?**', async (route) => {
    await held.promise;
    await route.continue();
  });
  await attach(alice, [
    { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('words') },
    { name: 'noon.png', mimeType: 'image/png', buffer: await picture('#7aa') },
  ]);
  await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(alice.messages.last()).toContainText('notes.txt');
  await expect(alice.messages.last().getByRole('progressbar', { name: /^notes\.txt, \d+ %$/ })).toBeVisible();
  await expect(alice.messages.last()).toHaveAccessibleDescription(/^noon\.png, \d+ % notes ?\.txt/);
  await expect(alice.messages.last().locator('.going')).toHaveCSS('width', /^[23]\d\d/);
  await alice.write('This overtakes it.');
  await expect(bob.message('This overtakes it.')).toBeVisible();
  await expect(bob.messages).toHaveCount(1);
  held.resolve();
  await expect(bob.messages.last().getByRole('link', { name: /^notes ?\.txt/ })).toBeVisible();
  // From right to left too, a name ends with its extension.
  await bob.page.locator('php-chat').evaluate((chat) => chat.setAttribute('dir', 'rtl'));
  const [stem, ending] = await bob.messages.last().locator('.doc bdi').all();
  const [{ x = 0 }, { x: after = 0 }] = [
    (await stem?.boundingBox()) ?? {},
    (await ending?.boundingBox()) ?? {},
  ];
  expect(after).toBeGreaterThan(x);
  const download = bob.page.waitForEvent('download');
  await bob.messages
    .last()
    .getByRole('link', { name: /^notes ?\.txt/ })
    .click();
  expect((await download).suggestedFilename()).toBe('notes.txt');

  // One of two files of a message fails: discarding the message no longer waits for the other.
  const failing = Promise.withResolvers<void>();
  await alice.page.unroute('**/files?**');
  await alice.page.route('**/files?**name=never**', () => {});
  await alice.page.route('**/files?**name=bad**', async (route) => {
    await failing.promise;
    await route.abort();
  });
  const text = (name: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from('words') });
  await attach(alice, [text('never.txt'), text('bad.txt')]);
  await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
  const locks = () =>
    alice.page.evaluate(async () => {
      const { held = [] } = await navigator.locks.query();
      return held.filter(({ name }) => name?.startsWith('php-chat/upload/')).length;
    });
  await expect.poll(locks).toBe(2);
  failing.resolve();
  await alice.messages.last().getByRole('button', { name: 'Discard' }).click();
  await expect(alice.messages).toHaveCount(2);
  await expect.poll(locks).toBe(0);
});

test('a message that was refused while its file was on the way is not sent when the file is up', async ({
  alice,
  site,
}) => {
  const { page } = alice;
  const room = await privateRoom(site, 'bob', 'revoked', ['1']);
  await alice.open('revoked');
  const held = Promise.withResolvers<void>();
  await page.route('**/files?**', async (route) => {
    await held.promise;
    await route.continue();
  });
  await attach(alice, [{ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('words') }]);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(alice.messages.last()).toContainText('notes.txt');
  await asUser(site, 'bob', (ask) => ask('room:remove', { room, user: '1' }));
  await expect(page.getByRole('button', { name: /^revoked/ })).toHaveCount(0);
  await asUser(site, 'bob', (ask) => ask('room:invite', { room, users: ['1'] }));
  await alice.open('revoked');
  const refused = alice.messages.filter({ hasText: 'notes.txt' });
  await expect(refused.getByRole('button', { name: 'Retry' })).toBeVisible();
  held.resolve();
  await expect(refused.getByRole('progressbar')).toHaveCount(0);
  await alice.write('after it');
  await asUser(site, 'bob', (ask) =>
    expect
      .poll(async () => (await ask('message:history', { room })).messages.map(({ text }) => text))
      .toEqual(['after it']),
  );
  await expect(refused.getByRole('button', { name: 'Retry' })).toBeVisible();
});

test(
  'a refused file is in the tray with the reason; a failure can be tried again; a reload keeps uploaded files',
  { tag: '@soak' },
  async ({ alice, site }, info) => {
    await privateRoom(site, 'alice', 'refused', []);
    const huge = info.outputPath('huge.zip');
    await mkdir(dirname(huge), { recursive: true });
    await writeFile(huge, '');
    await truncate(huge, 11 * 1024 * 1024);
    await alice.open('refused');
    let attempts = 0;
    await alice.page.route('**/files?**name=later**', (route) => {
      attempts++;
      if (attempts === 1) return route.abort();
      return attempts === 2 ? route.fulfill({ status: 429, json: {} }) : route.continue();
    });
    await attach(alice, [
      {
        name: 'a long name of a program.exe',
        mimeType: 'application/x-msdownload',
        buffer: Buffer.from('MZ\0\0\0\0'),
      },
      { name: 'later.txt', mimeType: 'text/plain', buffer: Buffer.from('words') },
      { name: 'up.png', mimeType: 'image/png', buffer: await picture('#555') },
    ]);
    await attach(alice, huge);
    const tile = (name: string) => tray(alice).getByRole('group', { name });
    await expect(tile('huge.zip')).toContainText('Larger than 10 MB');
    await expect(tile('program.exe')).toContainText('This kind of file isn’t allowed.');
    await expect(tile('later.txt')).toContainText('Not uploaded.');
    await expect(tile('program.exe').getByText('.exe', { exact: true })).toBeInViewport({ ratio: 1 });
    await alice.shot('tray-refused');
    // With larger letters the whole reason is still visible.
    await alice.page.evaluate(() => {
      document.documentElement.style.fontSize = '200%';
    });
    const cut = await tile('program.exe').evaluate((element) => element.scrollHeight - element.clientHeight);
    expect(cut).toBeLessThanOrEqual(0);
    // A button holds its picture.
    const narrow = (icons: Element[]) => icons.filter((icon) => icon.scrollWidth > icon.clientWidth).length;
    expect(await alice.page.locator('php-chat .icon').evaluateAll(narrow)).toBe(0);
    await alice.page.evaluate(() => {
      document.documentElement.style.fontSize = '';
    });
    expect(await faultsIn(alice.page)).toEqual([]);
    const retry = tile('later.txt').getByRole('button', { name: 'Retry' });
    await retry.click();
    await expect(tile('later.txt')).toContainText('Too many uploads at the moment. Try again later.');
    await retry.click();
    await expect(tile('later.txt')).toContainText('5 bytes');
    await tile('program.exe').focus();
    await alice.page.keyboard.press('Delete');
    await expect(tray(alice).getByRole('group')).toHaveCount(3);
    await expect(tile('later.txt')).toBeFocused();
    await expect(tray(alice).getByRole('progressbar')).toHaveCount(0);
    await alice.page.reload();
    await alice.open('refused');
    await expect(tile('up.png')).toBeVisible();
    await expect(tile('huge.zip')).toContainText('Not uploaded.');
    await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
    await expect(alice.messages.last().getByRole('link')).toHaveCount(1);
    await expect(alice.messages.last().getByRole('button', { name: 'up.png' })).toBeVisible();
    await expect(tray(alice).getByRole('group')).toHaveCount(1);
    // A notice covers nothing of what is being written.
    await attach(
      alice,
      Array.from({ length: 20 }, () => huge),
    );
    const notice = alice.page.locator('.toast');
    await expect(notice).toHaveText('Up to 10 files per message.');
    await expect(tray(alice).getByRole('group')).toHaveCount(20);
    const [above, below] = [await notice.boundingBox(), await tray(alice).boundingBox()];
    expect((above?.y ?? 0) + (above?.height ?? 0)).toBeLessThan(below?.y ?? 0);
  },
);

test('files beyond those of one message wait beside them, and go with it when there is room, or with the next', {
  tag: '@soak',
}, async ({ alice, site }) => {
  await privateRoom(site, 'alice', 'surplus', []);
  await alice.open('surplus');
  const small = (n: number) => ({
    name: `${n}.txt`,
    mimeType: 'text/plain',
    buffer: Buffer.from(`file ${n}`),
  });
  await attach(
    alice,
    Array.from({ length: 12 }, (_, n) => small(n)),
  );
  const tiles = tray(alice).getByRole('group');
  await expect(tiles.filter({ hasText: '6 bytes' })).toHaveCount(10);
  const waiting = tiles.filter({ hasText: 'Up to 10 files per message.' });
  await expect(waiting).toHaveCount(2);
  const retry = tray(alice).getByRole('button', { name: 'Retry' });
  await expect(retry).toHaveCount(0);
  await tray(alice).getByRole('button', { name: 'Remove 0.txt' }).click();
  await retry.first().click();
  await expect(tiles.filter({ hasText: /^10\.txt\s*7 bytes/ })).toHaveCount(1);
  await expect(retry).toHaveCount(0);
  await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(alice.messages.last().getByRole('link')).toHaveCount(10);
  await expect(tiles).toHaveCount(1);
  await retry.click();
  await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(alice.messages.last().getByRole('link')).toHaveText(/11\.txt/);
  await expect(tray(alice)).toHaveCount(0);
});

/** A PNG with this many pixels on a side, in one colour: few bytes, and gigabytes when decoded. */
function bomb(side: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head[8] = 1;
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  const pixels = deflateSync(Buffer.alloc(side * (1 + side / 8)));
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

test('hostile files are neither run nor shown: scripts in pictures, names that turn the text, pictures that fill the memory', async ({
  alice,
  site,
}) => {
  await privateRoom(site, 'alice', 'hostile', []);
  await alice.open('hostile');
  const asked: string[] = [];
  alice.page.on('request', (request) => asked.push(request.url()));
  let opened = 0;
  alice.page.on('dialog', (dialog) => {
    opened++;
    void dialog.dismiss();
  });
  const script = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>';
  // The longest time in which the page has not painted.
  await alice.page.evaluate(() => {
    const page = window as unknown as { longest: number };
    page.longest = 0;
    let last = performance.now();
    const look = () => {
      const now = performance.now();
      page.longest = Math.max(page.longest, now - last);
      last = now;
      requestAnimationFrame(look);
    };
    look();
  });
  await attach(alice, [
    { name: 'a\u202egnp.svg', mimeType: 'image/svg+xml', buffer: Buffer.from(script) },
    { name: 'b.png', mimeType: 'image/png', buffer: Buffer.from(`<html>${script}</html>`) },
    { name: 'c.png', mimeType: 'image/png', buffer: bomb(40_000) },
    { name: `<img src=x onerror=alert(3)>.txt`, mimeType: 'text/plain', buffer: Buffer.from('words') },
    { name: 'd.png', mimeType: 'image/png', buffer: (await picture('#777')).subarray(0, 200) },
    { name: 'e.HEIC', mimeType: '', buffer: Buffer.from('\0\0\0\x18ftypheic\0\0\0\0heicmif1', 'latin1') },
  ]);
  await expect(tray(alice).getByRole('progressbar')).toHaveCount(0);
  for (const [name, why] of [
    ['c.png', 'This picture has too many pixels or frames.'],
    ['d.png', 'This file can’t be read. It may be damaged.'],
    ['e.HEIC', 'Browsers can’t show HEIC. Send it as JPEG.'],
  ] as const)
    await expect(tray(alice).getByRole('group', { name })).toContainText(why);
  const names = await tray(alice)
    .getByRole('group')
    .evaluateAll((tiles) => tiles.map((tile) => tile.getAttribute('aria-label')));
  expect(names).toEqual([
    'agnp.svg',
    'b.png',
    'c.png',
    '<img src=x onerror=alert(3)>.txt',
    'd.png',
    'e.HEIC',
  ]);
  await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(alice.messages.last()).toHaveAttribute('aria-posinset', '1');
  await expect(alice.messages.last().locator('.imgs')).toHaveCount(0);
  expect(opened).toBe(0);
  expect(asked.filter((url) => url.endsWith('/x'))).toEqual([]);
  expect(await alice.page.evaluate(() => (window as unknown as { longest: number }).longest)).toBeLessThan(
    10_000,
  );
});

test('a picture that moves is played three times, and again when one points at it; with reduced motion by its button', {
  tag: '@soak',
}, async ({ alice, site }) => {
  await privateRoom(site, 'alice', 'moving', []);
  const side = 80;
  const frames = Buffer.concat(['#7aa', '#a77'].map((_, n) => Buffer.alloc(side * side * 3, 90 + 90 * n)));
  const buffer = await sharp(frames, {
    raw: { width: side, height: 2 * side, channels: 3, pageHeight: side },
  })
    .gif({ delay: [400, 400] })
    .toBuffer();
  await alice.page.emulateMedia({ reducedMotion: 'no-preference' });
  await alice.open('moving');
  await attach(alice, [{ name: 'wave.gif', mimeType: 'image/gif', buffer }]);
  await expect(tray(alice).getByRole('progressbar')).toHaveCount(0);
  await alice.page.mouse.move(0, 0);
  await alice.page.getByRole('button', { name: 'Send', exact: true }).press('Enter');
  const picture = alice.messages.last().getByRole('button', { name: 'wave.gif', exact: true });
  const image = picture.locator('img');
  await expect(image).toHaveAttribute('src', /wave\.gif$/);
  await expect(image).toHaveAttribute('src', /\?size=preview$/);
  await picture.hover();
  await expect(image).toHaveAttribute('src', /wave\.gif$/);
  await expect(image).toHaveAttribute('src', /\?size=preview$/);
  await alice.page.emulateMedia({ reducedMotion: 'reduce' });
  await alice.page.reload();
  const play = alice.messages.last().getByRole('button', { name: 'Play wave.gif' });
  await expect(play).toBeVisible();
  await expect(image).toHaveAttribute('src', /\?size=preview$/);
  expect(await faultsIn(alice.page)).toEqual([]);
  await play.click();
  await expect(image).toHaveAttribute('src', /wave\.gif$/);
  await expect(image).toHaveAttribute('src', /\?size=preview$/);
});

/** The browser's reaction to files dragged over that part: false if the element leaves them to the page. */
const drag = (person: Person, part: string, type: 'dragover' | 'drop') =>
  person.page.locator(`php-chat ${part}`).evaluate((element, type) => {
    const data = new DataTransfer();
    data.items.add(new File(['words'], 'notes.txt', { type: 'text/plain' }));
    const how = { bubbles: true, composed: true, cancelable: true, dataTransfer: data };
    return element.dispatchEvent(new DragEvent(type, how));
  }, type);

test('if files are off, a dropped one is refused with a message and does not replace the page', {
  tag: '@soak',
}, async ({ bob, site }) => {
  const room = await privateRoom(site, 'alice', 'no files', ['2']);
  await asUser(site, 'alice', (ask) => ask('room:update', { room, write: 'moderators' }));
  await bob.open('no files');
  await bob.page.getByText('Only moderators can post').waitFor();
  expect(await drag(bob, '.timeline', 'dragover')).toBe(false);
  await expect(bob.page.getByText('Drop to send to')).toHaveCount(0);
  expect(await drag(bob, '.timeline', 'drop')).toBe(false);
  await expect(bob.page.locator('.toast')).toContainText('You can’t send files here.');
  expect(await drag(bob, '.rooms', 'drop')).toBe(false);
  await expect(tray(bob)).toHaveCount(0);
});

test('without a connection uploads and pictures wait, and are tried again by themselves', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  await privateRoom(site, 'alice', 'offline files', ['2']);
  await alice.open('offline files');
  await bob.open('offline files');
  const text = (name: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(name) });
  await alice.page.context().setOffline(true);
  await expect(alice.banner).toContainText(/You’re offline|back online/);
  await attach(alice, [text('sent.txt')]);
  await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
  await attach(alice, [text('kept.txt')]);
  await expect(tray(alice).getByRole('progressbar')).toBeVisible();
  await expect(alice.messages.last()).toContainText('Waiting for connection');
  await alice.page.context().setOffline(false);
  await expect(bob.messages.last().getByRole('link', { name: /^sent ?\.txt/ })).toBeVisible();
  await expect(tray(alice).getByRole('progressbar')).toHaveCount(0);
  await expect(tray(alice).getByRole('group')).toHaveText(/^kept\.txt ?8 bytes ?$/);
  await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(bob.messages).toHaveCount(2);

  // A picture that could not be loaded on the way is not lost.
  let broken = true;
  await bob.page.route('**/files/**', (route) => (broken ? route.abort() : route.continue()));
  await attach(alice, [{ name: 'noon.png', mimeType: 'image/png', buffer: await picture('#7aa') }]);
  await expect(tray(alice).getByRole('progressbar')).toHaveCount(0);
  await bob.open('lobby');
  await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(alice.messages.last()).toHaveAttribute('aria-posinset', '3');
  await bob.open('offline files');
  await expect(bob.messages.last()).toContainText('This file is no longer available.');
  broken = false;
  await site.restart('SIGTERM');
  await expect(bob.messages.last().locator('img')).toHaveJSProperty('complete', true);
  await expect(bob.messages.last().locator('canvas')).toHaveCount(0);
  await expect(bob.messages.last()).not.toContainText('no longer there');
});

test('a new session id loses no file that is on its way, and the next user of the page finds none', async ({
  alice,
  bob,
  site,
}) => {
  const { page } = alice;
  const context = page.context();
  const text = (name: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from('words') });
  const session = async () => (await context.cookies()).find(({ name }) => name === 'PHPSESSID')?.value;
  const enter = async (name: string) => {
    const cookie = { name: 'PHPSESSID', value: await site.login(name), httpOnly: true };
    await context.addCookies([{ ...cookie, domain: '127.0.0.1', path: '/' }]);
  };
  await alice.open('garden');
  await bob.open('garden');
  // The first attempts get no answer.
  let isHeld = true;
  let asked = 0;
  await page.route('**/files?**', (route) => {
    asked++;
    return isHeld ? undefined : route.continue();
  });
  await attach(alice, [text('sent.txt')]);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await attach(alice, [text('tray.txt')]);
  await expect.poll(() => asked).toBe(2);
  isHeld = false;
  const before = await session();
  await enter('alice');
  await site.memcached.delete(`sessions/${before}`);
  await expect(bob.messages.last().getByRole('link', { name: /^sent ?\.txt/ })).toBeVisible();
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(bob.messages.last().getByRole('link', { name: /^tray ?\.txt/ })).toBeVisible();

  isHeld = true;
  await attach(alice, [text('left.txt')]);
  await expect(tray(alice).getByRole('progressbar')).toBeVisible();
  await tellKept(page, 'pagehide');
  await enter('dimitri');
  await tellKept(page, 'pageshow');
  await alice.open('garden');
  await expect(page.getByRole('button', { name: 'Attach files' })).toBeVisible();
  await expect(tray(alice)).toHaveCount(0);
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('left.txt');
});

test('a file whose tab has lost its session is missing in another tab, until that tab has the session again', async ({
  alice,
  site,
}) => {
  const { page } = alice;
  await privateRoom(site, 'alice', 'left behind', []);
  await alice.open('left behind');
  let attempts = 0;
  const held = Promise.withResolvers<void>();
  await page.route('**/files?**', async (route) => {
    // The first one gets no answer.
    if (attempts++ === 0) return;
    await held.promise;
    await route.continue();
  });
  await attach(alice, [{ name: 'left.txt', mimeType: 'text/plain', buffer: Buffer.from('words') }]);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect.poll(() => attempts).toBe(1);
  const kicked = await fetch(`${site.chat.url}/api/users/1/connections`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${site.apiKey}` },
  });
  expect(kicked.status).toBe(200);
  await expect(page.getByRole('heading', { name: 'You were disconnected', exact: true })).toBeVisible();

  const other = new Person(await page.context().newPage());
  await other.page.goto(site.php.chatPage);
  await other.open('left behind');
  await expect(other.messages.last()).toContainText('Not uploaded.');
  await expect(other.messages.last().getByRole('button', { name: 'Retry' })).toBeVisible();
  await tellKept(page, 'pagehide');
  await tellKept(page, 'pageshow');
  const locks = () =>
    page.evaluate(async () => {
      const all = await navigator.locks.query();
      return all.held?.filter(({ name }) => name?.startsWith('php-chat/upload/')).length;
    });
  await expect.poll(locks).toBe(1);
  held.resolve();
  await expect(other.messages.last().getByRole('link', { name: /^left ?\.txt/ })).toBeVisible();
});

test('an upload that a server leaves hanging fails after a minute', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  await privateRoom(site, 'alice', 'hanging', []);
  // A minute is a second here.
  await alice.page.addInitScript(() => {
    const { setTimeout: later } = window;
    window.setTimeout = ((task: TimerHandler, ms?: number) =>
      later(task, ms === 60_000 ? 1000 : ms)) as typeof setTimeout;
  });
  await alice.page.reload();
  await alice.open('hanging');
  let asked = 0;
  await alice.page.route('**/files?**', (route) => (asked++ === 0 ? undefined : route.continue()));
  await attach(alice, [{ name: 'slow.txt', mimeType: 'text/plain', buffer: Buffer.from('words') }]);
  await expect(tray(alice)).toContainText('Not uploaded.');
  await tray(alice).getByRole('button', { name: 'Retry' }).click();
  await expect(tray(alice).getByRole('progressbar')).toHaveCount(0);
  await expect(tray(alice)).not.toContainText('Not uploaded.');
  expect(asked).toBe(2);
});

test('pasted, and dropped over the room: four pictures are seen of six, in a narrow element from right to left', {
  tag: '@soak',
}, async ({ alice, site }) => {
  await privateRoom(site, 'alice', 'narrow files', []);
  await alice.open('narrow files');
  const chat = alice.page.locator('php-chat');
  await chat.evaluate((element) => {
    element.style.inlineSize = '360px';
    element.setAttribute('dir', 'rtl');
  });
  const colors = ['#844', '#484', '#448', '#884', '#848', '#488'];
  const bytes = await Promise.all(colors.map(async (color) => [...(await picture(color))]));
  /** Files as the browser passes them. */
  const handOver = (type: 'paste' | 'dragover' | 'drop', files: number[][]) =>
    alice.field.evaluate(
      (field, { type, files }) => {
        const data = new DataTransfer();
        for (const [n, file] of files.entries())
          data.items.add(new File([new Uint8Array(file)], `${n}.png`, { type: 'image/png' }));
        const how = { bubbles: true, composed: true, cancelable: true };
        field.dispatchEvent(
          type === 'paste'
            ? new ClipboardEvent(type, { ...how, clipboardData: data })
            : new DragEvent(type, { ...how, dataTransfer: data }),
        );
      },
      { type, files },
    );
  await alice.page.getByRole('button', { name: 'Attach files' }).waitFor();
  await handOver('paste', bytes.slice(0, 1));
  await handOver('dragover', bytes.slice(1));
  await expect(alice.page.getByText('Drop to send to narrow files')).toBeVisible();
  await handOver('drop', bytes.slice(1));
  await expect(alice.page.getByText('Drop to send to narrow files')).toHaveCount(0);
  await expect(tray(alice).getByRole('group')).toHaveCount(6);
  await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
  const shown = alice.messages.last().locator('.imgs button');
  await expect(shown).toHaveCount(4);
  await expect(shown.last()).toHaveAccessibleName('2.png and 2 more pictures');
  await expect(alice.page.getByRole('navigation', { name: 'Rooms', includeHidden: true })).toContainText(
    'You: Attachments',
  );
  await alice.messages.last().focus();
  await alice.page.keyboard.press('Enter');
  await expect(alice.page.getByRole('menuitem', { name: 'Edit' })).toBeVisible();
  await expect(alice.page.getByRole('menuitem', { name: 'Copy text' })).toHaveCount(0);
  await alice.page.getByRole('menuitem', { name: 'Reply' }).click();
  await expect(alice.page.getByText('Reply to Alice · 0.png, 0.png, 1.png')).toBeVisible();
  await alice.page.keyboard.press('Escape');
  await expect(alice.messages.last().locator('.imgs canvas')).toHaveCount(0);
  const overflow = await chat.evaluate(({ shadowRoot }) => {
    const timeline = shadowRoot?.querySelector('.timeline');
    return Number(timeline?.scrollWidth) - Number(timeline?.clientWidth);
  });
  expect(overflow).toBe(0);
  await alice.shot('files-360');
  expect(await faultsIn(alice.page)).toEqual([]);
  await shown.last().click();
  await alice.page.keyboard.press('ArrowLeft');
  await expect(alice.page.getByRole('dialog', { name: 'Picture 5 of 6' })).toBeVisible();
});

test('voice messages, sound and video are played: one at a time, the next voice message by itself, by keyboard too', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  const room = await privateRoom(site, 'bob', 'sounds', ['1']);
  await bob.open('sounds');
  const upload = (bytes: Buffer, name: string, more = '') =>
    bob.page.evaluate(
      async ([url, body]) => {
        const answer = await fetch(url, {
          method: 'POST',
          credentials: 'include',
          body: Uint8Array.from(body),
        });
        return ((await answer.json()) as { file: { id: string } }).file.id;
      },
      [`${site.chat.url}/files?room=${room}&name=${name}${more}`, [...bytes]] as const,
    );
  const peaks = `&peaks=${'05afkpuvspk9'.repeat(4).slice(0, 46)}`;
  const files = [
    await upload(wav(1), 'voice.wav', peaks),
    await upload(wav(1.2), 'voice.wav', peaks),
    await upload(wav(30), 'song.wav'),
    await upload(mp4({ duration: 3, picture: { width: 320, height: 180 } }), 'clip.mp4'),
  ];
  await seed(
    site,
    'bob',
    room,
    files.map((id) => ({ text: '', files: [{ id }] })),
  );
  await alice.open('sounds');
  const voices = page.getByRole('group', { name: /^Voice message, 0:01/ });
  await expect(voices).toHaveCount(2);
  const unheard = page.getByRole('img', { name: 'not played yet' });
  await expect(unheard).toHaveCount(2);
  await alice.shot('sounds');
  await voices.first().getByRole('button', { name: 'Play' }).click();
  await expect(voices.nth(1).getByRole('button', { name: 'Pause' })).toBeVisible();
  await expect(unheard).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Pause' })).toHaveCount(0);

  await voices.first().getByRole('button', { name: 'Speed 1' }).click();
  await expect(voices.nth(1).getByRole('button', { name: 'Speed 1.5' })).toBeVisible();
  const song = page.locator('.audio', { hasText: 'song.wav' });
  const position = song.getByRole('slider', { name: 'Position' });
  await position.focus();
  await page.keyboard.press('ArrowRight');
  await expect(position).toHaveAttribute('aria-valuetext', '0:05 of 0:30');
  await song.getByRole('button', { name: 'Play' }).click();
  await expect(song.getByRole('button', { name: 'Pause' })).toBeVisible();
  await voices.first().getByRole('button', { name: 'Play' }).click();
  await expect(song.getByRole('button', { name: 'Play' })).toBeVisible();
  expect(await faultsIn(page, '.timeline')).toEqual([]);

  // It has a picture and nothing in it.
  await page.getByRole('button', { name: 'Play video, 0:03: clip.mp4' }).click();
  await expect(page.locator('.video')).toContainText('This can’t be played.');
  await expect(page.getByRole('link', { name: 'Download clip.mp4' })).toBeVisible();
});

test('after a logout Back shows no picture that was opened by itself', async ({ alice, site }) => {
  const { page } = alice;
  const room = await privateRoom(site, 'alice', 'albums', []);
  const { value = '' } = (await page.context().cookies()).find(({ name }) => name === 'PHPSESSID') ?? {};
  const headers = { origin: site.php.url };
  const options = { room, name: 'secret.png', headers };
  const { file } = await uploaded(site.chat.url, `PHPSESSID=${value}`, await picture('#c33'), options);
  await seed(site, 'alice', room, [{ text: '', files: [{ id: file.id }] }]);
  await alice.open('albums');
  // The large view has asked for it as well, and the browser keeps that answer.
  await page.getByRole('button', { name: 'secret.png' }).click();
  await expect(page.locator('.lightbox figure img')).toHaveJSProperty('naturalWidth', 600);
  const opened = page.waitForEvent('popup');
  await page.getByRole('link', { name: 'Open in a new tab' }).click();
  const tab = await opened;
  await expect(tab.locator('img')).toHaveJSProperty('naturalWidth', 600);
  const address = tab.url();
  await tab.goto(`${site.chat.url}/healthz`);
  // A page at the same address asks for it again, as the chat does behind a proxy, and the browser keeps that answer.
  const chat = `${site.chat.url}/page`;
  await page.route(chat, (route) =>
    route.fulfill({ contentType: 'text/html', body: `<img src="${address}">` }),
  );
  await page.goto(chat);
  await expect(page.locator('img')).toHaveJSProperty('naturalWidth', 600);
  await site.memcached.delete(`sessions/${value}`);
  await tab.goBack();
  await expect(tab.locator('body')).toContainText('not_found');
});

test('a video has the room of one, whatever size its file says', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const room = await privateRoom(site, 'alice', 'towers', []);
  const cookie = `PHPSESSID=${await site.login('alice')}`;
  const sizes = [
    { width: 1, height: 20_000 },
    { width: 20_000, height: 1 },
  ];
  const seeds = [];
  for (const size of sizes) {
    const bytes = mp4({ duration: 3, picture: size });
    const headers = { origin: site.php.url };
    const { file } = await uploaded(site.chat.url, cookie, bytes, { room, name: 'tower.mp4', headers });
    seeds.push({ text: '', files: [{ id: file.id }] });
  }
  await seed(site, 'alice', room, seeds);
  await alice.open('towers');
  const videos = alice.page.locator('.video');
  await expect(videos).toHaveCount(2);
  for (const box of await videos.evaluateAll((all) => all.map((one) => one.getBoundingClientRect()))) {
    expect(box.height).toBeLessThanOrEqual(320);
    expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(64);
  }
});

test('a sound that plays out of sight has a bar above the messages until it ends', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const { page } = alice;
  const room = await privateRoom(site, 'alice', 'bells', []);
  const { id } = await page.evaluate(
    async ([url, body]) => {
      const answer = await fetch(url, {
        method: 'POST',
        credentials: 'include',
        body: Uint8Array.from(body),
      });
      return ((await answer.json()) as { file: { id: string } }).file;
    },
    [`${site.chat.url}/files?room=${room}&name=bell.wav`, [...wav(3)]] as const,
  );
  await seed(site, 'alice', room, [{ text: '', files: [{ id }] }]);
  await alice.open('bells');
  await page.getByRole('button', { name: 'Play' }).click();
  await alice.open('lobby');
  const bar = page.getByRole('region', { name: 'Playing' });
  await expect(bar.getByRole('button', { name: 'Pause' })).toBeVisible();
  await expect(bar).toHaveCount(0);
  await alice.open('bells');
  await page.getByRole('button', { name: 'Play' }).click();
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible();
});
