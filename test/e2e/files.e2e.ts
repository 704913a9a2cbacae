import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { upload } from '../helpers/files.ts';
import { mp4 } from '../helpers/media.ts';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { examined, expect, Person, type Site, stepInSoak, test } from './fixtures.ts';
import { tellKept } from './kept-page.ts';
import { seed } from './seed.ts';

const picture = (color: string, width = 60, height = 40) =>
  sharp({ create: { width, height, channels: 3, background: color } })
    .png()
    .toBuffer();
const text = (name: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from('words') });
const png = (name: string, buffer: Buffer) => ({ name, mimeType: 'image/png', buffer });

/** Chooses files like a user who clicks the button. */
async function attach(
  { page }: Person,
  files: { name: string; mimeType: string; buffer: Buffer }[],
): Promise<void> {
  const chosen = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Attach files' }).click();
  await (await chosen).setFiles(files);
}
const tray = ({ page }: Person) => page.getByRole('group', { name: 'Attachments' });
const tiles = (person: Person) => tray(person).getByRole('group');
const send = ({ page }: Person) => page.getByRole('button', { name: 'Send', exact: true }).click();

/** Pastes or drops files like the browser. @returns false if the element handles the event */
const handOver = (person: Person, type: 'paste' | 'dragover' | 'drop', files: [string, Buffer][]) =>
  person.field.evaluate(
    (field, { type, files }) => {
      const data = new DataTransfer();
      for (const [name, bytes] of files)
        data.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }));
      const how = { bubbles: true, composed: true, cancelable: true };
      return field.dispatchEvent(
        type === 'paste'
          ? new ClipboardEvent(type, { ...how, clipboardData: data })
          : new DragEvent(type, { ...how, dataTransfer: data }),
      );
    },
    { type, files: files.map(([name, bytes]) => [name, [...bytes]] as const) },
  );

async function sessionOf({ page }: Person): Promise<string> {
  const cookie = (await page.context().cookies()).find(({ name }) => name === 'PHPSESSID');
  return cookie?.value ?? '';
}

/** Logs a user in at the browser. */
async function logIn({ page }: Person, site: Site, name: string): Promise<void> {
  const cookie = { name: 'PHPSESSID', value: await site.login(name), httpOnly: true };
  await page.context().addCookies([{ ...cookie, domain: '127.0.0.1', path: '/' }]);
}

/** A PNG of one colour with this many pixels per side: small as a file, but gigabytes when decoded. */
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

test('sends files from the tray and shows them in the large view', async ({ alice, bob, site }) => {
  const room = await privateRoom(site, 'alice', 'pictures', ['2']);
  await alice.open('pictures');
  await bob.open('pictures');
  const sent = bob.messages.last();
  const noon = sent.getByRole('button', { name: 'The orchard at noon' });

  await test.step('describes pictures by keyboard and sends them with a file', async () => {
    const examined = alice.page.waitForResponse(/name=noon\.png/);
    await attach(alice, [
      png('noon.png', await picture('#7aa', 600, 400)),
      png('shed.png', await picture('#a77', 300, 500)),
      { name: 'layout-final.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7\n%%EOF\n') },
    ]);
    await expect(tiles(alice)).toHaveCount(3);
    // The server first starts the process that examines pictures.
    await examined;
    await expect(tray(alice).getByRole('progressbar')).toHaveCount(0);
    await expect(alice.page.getByRole('status').filter({ hasText: /^\S+ uploaded$/ })).toBeAttached();
    // The tray is a single tab stop: arrows move inside, Enter describes, Del removes.
    await alice.field.focus();
    await alice.page.keyboard.press('Shift+Tab');
    await alice.page.keyboard.press('Shift+Tab');
    await expect(tiles(alice).first()).toBeFocused();
    await alice.page.keyboard.press('Enter');
    const dialog = alice.page.getByRole('dialog', { name: 'Describe this picture' });
    const description = dialog.getByLabel('For people who can’t see it');
    // The field shows that it has the focus.
    await expect(description).toHaveCSS('outline-style', 'solid');
    await description.fill('The orchard at noon');
    expect(await faultsIn(alice.page, '[role="dialog"], dialog')).toEqual([]);
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expect(alice.page.getByRole('button', { name: 'Describe noon.png, done' })).toBeVisible();
    await alice.shot('tray');
    await alice.write('The beds below the wall, as they looked from the hill above the orchard this morning');
    await expect(tray(alice)).toHaveCount(0);
    await expect(sent).toHaveAccessibleDescription(
      /The orchard at noon shed\.png layout-final ?\.pdf .*this morning$/,
    );
    await expect(noon.locator('img')).toHaveJSProperty('complete', true);
    await expect(noon.locator('canvas')).toHaveCount(0);
    await expect(sent.getByRole('link', { name: /^layout-final ?\.pdf PDF, \d+ byte/ })).toBeVisible();
    // The caption wraps at the width of the pictures.
    const widths = await sent
      .locator('.bubble, .imgs')
      .evaluateAll((boxes) => boxes.map(({ clientWidth }) => clientWidth));
    expect((widths[0] ?? 0) - (widths[1] ?? 0)).toBeLessThan(10);
    await bob.shot('files');
  });

  await test.step('changes the picture in the large view with arrow keys, and Esc restores the focus', async () => {
    await noon.click();
    const first = bob.page.getByRole('dialog', { name: 'Picture 1 of 2' });
    const second = bob.page.getByRole('dialog', { name: 'Picture 2 of 2' });
    await expect(first.getByRole('img', { name: 'The orchard at noon' })).toBeVisible();
    expect(await faultsIn(bob.page, '[role="dialog"], dialog')).toEqual([]);
    await bob.page.keyboard.press('ArrowRight');
    await expect(second).toContainText('shed.png · 2 of 2');
    await expect(bob.page.getByRole('button', { name: 'Next picture' })).toHaveCount(0);
    await bob.shot('large-view');
    // The focus survives a disappearing button and a click on the picture.
    await bob.page.getByRole('button', { name: 'Previous picture' }).click();
    await expect(bob.page.getByRole('button', { name: 'Next picture' })).toBeFocused();
    await first.getByRole('img', { name: 'The orchard at noon' }).click();
    await bob.page.keyboard.press('ArrowRight');
    await expect(second).toBeVisible();
    // The picture is dragged and released outside.
    await bob.page.mouse.move(640, 400);
    await bob.page.mouse.down();
    await bob.page.mouse.move(100, 400);
    await bob.page.mouse.up();
    await bob.page.keyboard.press('Tab');
    await expect(bob.page.getByRole('link', { name: 'Save picture' })).toBeFocused();
    await bob.page.keyboard.press('Escape');
    await expect(bob.page.getByRole('dialog')).toHaveCount(0);
    await expect(noon).toBeFocused();
  });

  await stepInSoak('moves an enlarged picture with the pointer, also on a zoomed page', async () => {
    const { page } = bob;
    const zoom = (value: string) =>
      page.evaluate((factor) => {
        document.documentElement.style.zoom = factor;
      }, value);
    await zoom('1.25');
    await noon.click();
    const image = page.getByRole('dialog').getByRole('img', { name: 'The orchard at noon' });
    const boxOf = async () => (await image.boundingBox()) ?? { x: 0, y: 0, width: 0 };
    const { width } = await boxOf();
    await image.dblclick();
    await expect.poll(async () => (await boxOf()).width).toBeCloseTo(2 * width, 0);
    const { x, y } = await boxOf();
    await page.mouse.move(640, 400);
    await page.mouse.down();
    await page.mouse.move(740, 450);
    await page.mouse.up();
    await expect.poll(async () => (await boxOf()).x - x).toBeCloseTo(100, 0);
    expect((await boxOf()).y - y).toBeCloseTo(50, 0);
    await page.keyboard.press('Escape');
    await zoom('');
  });

  await stepInSoak(
    'shows a picture after a reload once the code for pictures is loaded, with one request',
    async () => {
      await asUser(site, 'alice', async (ask) => {
        await ask('room:join', { room });
        await ask('message:react', { room, seq: 1, emoji: '👍', on: true });
      });
      const free = Promise.withResolvers<void>();
      await bob.page.route(/\/assets\/panels-/, async (route) => {
        await free.promise;
        await route.continue();
      });
      const requests: string[] = [];
      bob.page.on('request', (request) => {
        if (request.url().includes('/files/')) requests.push(request.url());
      });
      await bob.page.reload();
      await expect(sent).toContainText('this morning');
      await expect(sent.locator('img')).toHaveCount(0);
      free.resolve();
      await expect(noon.locator('img')).toHaveJSProperty('complete', true);
      await expect(noon.locator('canvas')).toHaveCount(0);
      await expect(sent.getByRole('button', { name: '👍 1' })).toBeVisible();
      expect(requests.filter((url) => url.includes('noon'))).toHaveLength(1);
    },
  );

  await test.step('removes the files of a deleted message', async () => {
    await alice.messages.last().focus();
    await alice.page.keyboard.press('Delete');
    await expect(sent).toContainText('Message deleted');
    // The time for Undo ends with the page.
    await alice.page.reload();
    await expect(sent).toContainText('Message deleted');
    await expect(bob.timeline.locator('img')).toHaveCount(0);
  });

  await test.step('neither runs nor shows hostile files', async () => {
    const page = alice.page;
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    let opened = 0;
    page.on('dialog', (dialog) => {
      opened++;
      void dialog.dismiss();
    });
    const script =
      '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>';
    await attach(alice, [
      { name: 'a\u202egnp.svg', mimeType: 'image/svg+xml', buffer: Buffer.from(script) },
      png('b.png', Buffer.from(`<html>${script}</html>`)),
      png('c.png', bomb(40_000)),
      text('<img src=x onerror=alert(3)>.txt'),
      png('d.png', (await picture('#777')).subarray(0, 60)),
      { name: 'e.HEIC', mimeType: '', buffer: Buffer.from('\0\0\0\x18ftypheic\0\0\0\0heicmif1', 'latin1') },
    ]);
    await expect(tray(alice).getByRole('progressbar')).toHaveCount(0);
    for (const [name, why] of [
      ['c.png', 'This picture has too many pixels or frames.'],
      ['d.png', 'This file can’t be read. It may be damaged.'],
      ['e.HEIC', 'Browsers can’t show HEIC. Send it as JPEG.'],
    ] as const)
      await expect(tray(alice).getByRole('group', { name })).toContainText(why);
    const labels = (all: Element[]) => all.map((tile) => tile.getAttribute('aria-label'));
    const names = ['agnp.svg', 'b.png', 'c.png', '<img src=x onerror=alert(3)>.txt', 'd.png', 'e.HEIC'];
    expect(await tiles(alice).evaluateAll(labels)).toEqual(names);
    await send(alice);
    await expect(bob.messages.last()).toContainText('agnp.svg');
    await expect(bob.messages.last().locator('.imgs')).toHaveCount(0);
    expect(opened).toBe(0);
    expect(requests.filter((url) => url.endsWith('/x'))).toEqual([]);
  });

  await test.step('does not show a picture on Back after a logout', async () => {
    const { page } = alice;
    const cookie = `PHPSESSID=${await sessionOf(alice)}`;
    const options = { room, name: 'secret.png', headers: { origin: site.php.url } };
    const { file } = await upload(site.chat.url, cookie, await picture('#c33', 600, 400), options);
    await seed(site, 'alice', room, [{ text: '', files: [{ id: file.id }] }]);
    // The large view also requested the picture, and the browser caches the response.
    await page.getByRole('button', { name: 'secret.png' }).click();
    await expect(page.locator('.lightbox figure img')).toHaveJSProperty('naturalWidth', 600);
    const opened = page.waitForEvent('popup');
    await page.getByRole('link', { name: 'Open in a new tab' }).click();
    const tab = await opened;
    await expect(tab.locator('img')).toHaveJSProperty('naturalWidth', 600);
    const address = tab.url();
    await tab.goto(`${site.chat.url}/healthz`);
    // A page on the same origin requests it again, like the chat behind a proxy, and the browser caches the
    // response.
    const html = `<img src="${address}">`;
    const chat = `${site.chat.url}/page`;
    await page.route(chat, (route) => route.fulfill({ contentType: 'text/html', body: html }));
    await page.goto(chat);
    await expect(page.locator('img')).toHaveJSProperty('naturalWidth', 600);
    await site.memcached.delete(`sessions/${await sessionOf(alice)}`);
    await tab.goBack();
    await expect(tab.locator('body')).toContainText('not_found');
  });
});

test('shows pasted, dropped and animated pictures, and videos of any size', { tag: '@soak' }, async ({
  alice,
  bob,
  site,
}) => {
  const room = await privateRoom(site, 'alice', 'pictures', ['2']);
  await alice.open('pictures');
  await bob.open('pictures');

  await test.step('shows four of six pasted and dropped pictures', async () => {
    const six = await Promise.all(
      ['#844', '#484', '#448', '#884', '#848', '#488'].map(
        async (color, n) => [`${n}.png`, await picture(color)] as [string, Buffer],
      ),
    );
    await handOver(alice, 'paste', six.slice(0, 1));
    expect(await handOver(alice, 'dragover', six.slice(1))).toBe(false);
    const target = alice.page.getByText('Drop to send to pictures');
    await expect(target).toBeVisible();
    // The user cancels, and the message below the file was replaced, so that there is no `dragleave`.
    await alice.page.mouse.move(600, 300);
    await expect(target).toHaveCount(0);
    await handOver(alice, 'dragover', six.slice(1));
    await handOver(alice, 'drop', six.slice(1));
    await expect(target).toHaveCount(0);
    await expect(tiles(alice)).toHaveCount(6);
    await send(alice);
    const shown = bob.messages.last().locator('.imgs button');
    await expect(shown).toHaveCount(4, examined);
    await expect(shown.last()).toHaveAccessibleName('3.png and 2 more pictures');
    await shown.last().click();
    await expect(bob.page.getByRole('dialog', { name: 'Picture 4 of 6' })).toBeVisible();
    await bob.page.keyboard.press('Escape');
  });

  await test.step('plays an animated picture at first, on hover and by its button', async () => {
    const [side, height] = [80, 160];
    const frames = Buffer.concat([90, 180].map((grey) => Buffer.alloc(side * side * 3, grey)));
    const raw = { width: side, height, channels: 3, pageHeight: side } as const;
    const buffer = await sharp(frames, { raw })
      .gif({ delay: [200, 200] })
      .toBuffer();
    await alice.page.emulateMedia({ reducedMotion: 'no-preference' });
    await attach(alice, [{ name: 'wave.gif', mimeType: 'image/gif', buffer }]);
    await expect(tray(alice).getByRole('progressbar')).toHaveCount(0);
    await alice.page.mouse.move(0, 0);
    await alice.page.getByRole('button', { name: 'Send', exact: true }).press('Enter');
    const image = alice.messages.last().getByRole('button', { name: 'wave.gif', exact: true }).locator('img');
    const isPlayed = async () => {
      await expect(image).toHaveAttribute('src', /wave\.gif$/);
      await expect(image).toHaveAttribute('src', /\?size=preview$/);
    };
    await isPlayed();
    await image.hover();
    await isPlayed();
    await alice.page.emulateMedia({ reducedMotion: 'reduce' });
    await alice.page.reload();
    const play = alice.messages.last().getByRole('button', { name: 'Play wave.gif' });
    await expect(image).toHaveAttribute('src', /\?size=preview$/);
    await play.click();
    await isPlayed();
  });

  await test.step('limits the space of a video regardless of the size that its file declares', async () => {
    const cookie = `PHPSESSID=${await sessionOf(alice)}`;
    const options = { room, name: 'tower.mp4', headers: { origin: site.php.url } };
    const seeds = [];
    for (const [width, height] of [
      [1, 20_000],
      [20_000, 1],
    ] as const) {
      const bytes = mp4({ duration: 3, picture: { width, height } });
      const { file } = await upload(site.chat.url, cookie, bytes, options);
      seeds.push({ text: '', files: [{ id: file.id }] });
    }
    await seed(site, 'alice', room, seeds);
    const videos = bob.page.locator('.video');
    await expect(videos).toHaveCount(2);
    for (const box of await videos.evaluateAll((all) => all.map((video) => video.getBoundingClientRect()))) {
      expect(box.height).toBeLessThanOrEqual(320);
      expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(64);
    }
  });
});

test('keeps uploads through changes of the session', { tag: '@soak' }, async ({ alice, bob, site }) => {
  const { page } = alice;
  const room = await privateRoom(site, 'bob', 'depot', ['1']);
  await alice.open('depot');
  await bob.open('depot');
  /** How uploads are answered. `late`: after the call of `go`. */
  let answers: 'none' | 'late' | 'at once' = 'at once';
  let uploadCount = 0;
  let go = () => {};
  let going = Promise.resolve();
  const hold = (how: typeof answers) => {
    answers = how;
    uploadCount = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    going = promise;
    go = resolve;
  };
  await page.route('**/files?**', async (route) => {
    uploadCount++;
    if (answers === 'none') return;
    if (answers === 'late') await going;
    await route.continue();
  });
  const sentFile = (person: Person, name: string) =>
    person.messages.last().getByRole('link', { name: new RegExp(`^${name} ?\\.txt`) });

  await test.step('does not send a message that was rejected during the upload of its file', async () => {
    hold('late');
    await attach(alice, [text('notes.txt')]);
    await send(alice);
    await expect(alice.messages.last()).toContainText('notes.txt');
    await asUser(site, 'bob', (ask) => ask('room:remove', { room, user: '1' }));
    await expect(page.getByRole('button', { name: /^depot/ })).toHaveCount(0);
    await asUser(site, 'bob', (ask) => ask('room:invite', { room, users: ['1'] }));
    await alice.open('depot');
    const refused = alice.messages.filter({ hasText: 'notes.txt' });
    await expect(refused.getByRole('button', { name: 'Retry' })).toBeVisible();
    go();
    await expect(refused.getByRole('progressbar')).toHaveCount(0);
    await alice.write('after it');
    await expect(bob.texts).toHaveText(['after it']);
    await expect(refused.getByRole('button', { name: 'Retry' })).toBeVisible();
    await refused.getByRole('button', { name: 'Discard' }).click();
  });

  await stepInSoak('sends a message before an earlier message whose file is still uploading', async () => {
    hold('late');
    await attach(alice, [text('slow.txt')]);
    await send(alice);
    await expect(
      alice.messages.last().getByRole('progressbar', { name: /^slow\.txt, \d+ %$/ }),
    ).toBeVisible();
    await alice.write('This overtakes it.');
    await expect(bob.messages.last()).toContainText('This overtakes it.');
    go();
    await expect(sentFile(bob, 'slow')).toBeVisible();
  });

  await test.step('does not lose files when the session ID changes', async () => {
    // The first attempts get no response.
    hold('none');
    await attach(alice, [text('sent.txt')]);
    await send(alice);
    await attach(alice, [text('tray.txt')]);
    await expect.poll(() => uploadCount).toBe(2);
    answers = 'at once';
    const before = await sessionOf(alice);
    await logIn(alice, site, 'alice');
    await site.memcached.delete(`sessions/${before}`);
    await expect(sentFile(bob, 'sent')).toBeVisible();
    await send(alice);
    await expect(sentFile(bob, 'tray')).toBeVisible();
  });

  await stepInSoak('uploads the files of a disconnected tab only when that tab is back', async () => {
    hold('none');
    await attach(alice, [text('left.txt')]);
    await send(alice);
    await expect.poll(() => uploadCount).toBe(1);
    const kicked = await fetch(`${site.chat.url}/api/users/1/connections`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${site.apiKey}` },
    });
    expect(kicked.status).toBe(200);
    await expect(page.getByRole('heading', { name: 'You were disconnected', exact: true })).toBeVisible();
    const other = new Person(await page.context().newPage());
    await other.page.goto(site.php.chatPage);
    await other.open('depot');
    await expect(other.messages.last()).toContainText('Not uploaded.');
    await expect(other.messages.last().getByRole('button', { name: 'Retry' })).toBeVisible();
    hold('late');
    await tellKept(page, 'pagehide');
    await tellKept(page, 'pageshow');
    const locks = () =>
      page.evaluate(async () => {
        const { held = [] } = await navigator.locks.query();
        return held.filter(({ name }) => name?.startsWith('php-chat/upload/')).length;
      });
    await expect.poll(locks).toBe(1);
    go();
    await expect(sentFile(other, 'left')).toBeVisible();
    await other.page.close();
  });

  await test.step('removes unsent files before the next user of the page', async () => {
    hold('none');
    await attach(alice, [text('mine.txt')]);
    await expect(tray(alice).getByRole('progressbar')).toBeVisible();
    await tellKept(page, 'pagehide');
    await logIn(alice, site, 'dimitri');
    await tellKept(page, 'pageshow');
    await alice.open('garden');
    await expect(page.getByRole('button', { name: 'Attach', exact: true })).toBeVisible();
    await expect(tray(alice)).toHaveCount(0);
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('mine.txt');
  });
});
