import { privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, type Person, type Site, test } from './fixtures.ts';

const button = ({ page }: Person, name: string) => page.getByRole('button', { name, exact: true });
const recorder = ({ page }: Person) => page.getByRole('group', { name: 'Recording' });

/** Until another second is recorded. */
async function recorded(person: Person): Promise<void> {
  const timer = recorder(person).getByRole('timer');
  const before = (await timer.textContent()) ?? '';
  await expect.poll(() => timer.textContent()).not.toBe(before);
}

/** Whether the microphone is in use. */
const listens = ({ page }: Person) =>
  page.evaluate(() =>
    (window as unknown as { tracks: MediaStreamTrack[] }).tracks.some((track) => track.readyState === 'live'),
  );

/** Counts the recordings that the browser keeps: notes in the storage, parts in databases. */
const kept = ({ page }: Person) =>
  page.evaluate(async () => {
    const notes = Object.keys(localStorage).filter((key) => key.includes('/voice/')).length;
    const counts = (await indexedDB.databases()).map(
      ({ name = '' }) =>
        new Promise<number>((resolve) => {
          const opening = indexedDB.open(name);
          opening.onsuccess = () => {
            const count = opening.result.transaction('parts').objectStore('parts').count();
            count.onsuccess = () => resolve(count.result);
            opening.result.close();
          };
        }),
    );
    return { notes, parts: (await Promise.all(counts)).reduce((sum, count) => sum + count, 0) };
  });

/** Two people in a room of their own, with a microphone whose tracks and answers the test sees. */
async function inRoom(alice: Person, bob: Person, site: Site): Promise<void> {
  await privateRoom(site, 'alice', 'said', ['2']);
  await bob.open('said');
  await alice.page.addInitScript(() => {
    const tracks: MediaStreamTrack[] = [];
    const prompt = { answered: Promise.resolve() };
    Object.assign(window, { tracks, prompt });
    const ask = MediaDevices.prototype.getUserMedia;
    MediaDevices.prototype.getUserMedia = async function (this: MediaDevices, wanted) {
      await prompt.answered;
      const stream = await ask.call(this, wanted);
      tracks.push(...stream.getTracks());
      return stream;
    };
  });
  await alice.page.reload();
  await alice.open('said');
}

test('a voice message is recorded by keys, paused, heard, kept over a reload, brought back and sent once; the next user finds nothing', async ({
  alice,
  bob,
  site,
}) => {
  const { page } = alice;
  await inRoom(alice, bob, site);
  const height = await page.locator('.field').evaluate((field) => field.clientHeight);
  await button(alice, 'Record a voice message').press('Enter');
  await expect(recorder(alice)).toBeFocused();
  await recorded(alice);
  expect(await page.locator('.field').evaluate((field) => field.clientHeight)).toBe(height);
  await expect(page.getByText('Enter to send, Space to pause, Esc to discard')).toBeVisible();
  expect(await faultsIn(page)).toEqual([]);
  await alice.shot('voice-recording');

  // A pause gives the microphone back, and what follows belongs to the same recording.
  await page.keyboard.press('Space');
  await expect(page.getByText('Paused. You can listen before you send.')).toBeVisible();
  expect(await listens(alice)).toBe(false);
  await button(alice, 'Play').hover();
  await expect(page.getByRole('tooltip')).toHaveText('Play');
  await button(alice, 'Play').click();
  await expect(recorder(alice).getByRole('slider', { name: 'Position' })).not.toHaveAttribute(
    'aria-valuetext',
    /^0:00/,
  );
  expect(await faultsIn(page)).toEqual([]);
  await alice.shot('voice-paused');
  await button(alice, 'Continue recording').click();
  await recorded(alice);
  expect(await listens(alice)).toBe(true);

  // Leaving the room pauses.
  await alice.open('lobby');
  expect(await listens(alice)).toBe(false);
  await expect(button(alice, 'Record a voice message')).toBeVisible();
  await alice.open('said');
  await button(alice, 'Continue recording').click();
  await recorded(alice);

  // The recording is there after a reload; nothing was sent.
  await expect.poll(async () => (await kept(alice)).parts).toBeGreaterThan(0);
  await page.reload();
  await alice.open('said');
  await expect(page.getByText('You haven’t sent this recording yet.')).toBeVisible();
  expect(await faultsIn(page)).toEqual([]);
  await button(alice, 'Discard').click();
  // The notice stays while it is pointed at.
  await button(alice, 'Undo').hover();
  await expect(page.getByText('Recording discarded.')).toBeVisible();
  await expect(alice.field).toBeVisible();
  await expect.poll(() => kept(alice)).toEqual({ notes: 0, parts: 0 });
  await button(alice, 'Undo').click();
  await expect(recorder(alice)).toBeFocused();
  await expect(bob.messages).toHaveCount(0);

  // Sent while the server takes no files, and over another reload: it arrives once.
  const held = Promise.withResolvers<void>();
  await page.route('**/files?**', async () => held.promise);
  await page.keyboard.press('Enter');
  await expect(alice.messages.last().getByRole('progressbar')).toBeVisible();
  await expect(alice.field).toBeFocused();
  await page.unroute('**/files?**');
  await page.reload();
  await expect(bob.messages).toHaveCount(1);
  held.resolve();
  const heard = bob.messages.last().getByRole('group', { name: /^Voice message, \d:\d\d$/ });
  await expect(heard).toBeVisible();
  await expect(bob.page.getByRole('navigation', { name: 'Rooms' })).toContainText(/Voice message, \d:\d\d/);
  await expect.poll(() => kept(alice)).toEqual({ notes: 0, parts: 0 });
  await alice.shot('voice-sent');
  await bob.shot('voice-heard');
  await heard.getByRole('button', { name: 'Play' }).click();
  await expect(heard.getByRole('button', { name: 'Pause' })).toBeVisible();
  await expect(heard.getByRole('slider')).not.toHaveAttribute('aria-valuetext', /^0:00/);

  // The next user of the browser finds nothing, and leaves nothing.
  await page.clock.install();
  await button(alice, 'Record a voice message').click();
  await recorded(alice);
  await expect.poll(async () => (await kept(alice)).parts).toBeGreaterThan(0);
  await alice.enter(site, 'carol');
  await expect.poll(() => kept(alice)).toEqual({ notes: 0, parts: 0 });
  await alice.open('lobby');
  await button(alice, 'Record a voice message').click();
  await recorded(alice);
  const { value } = (await page.context().cookies()).find(({ name }) => name === 'PHPSESSID') ?? {};
  await site.memcached.delete(`sessions/${value}`);
  await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
  expect(await listens(alice)).toBe(false);
  await expect
    .poll(async () => {
      await page.clock.fastForward(1000);
      return kept(alice);
    })
    .toEqual({ notes: 0, parts: 0 });
});

test('a recording pauses when its room is hidden or left, and takes no microphone that comes later', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  await inRoom(alice, bob, site);
  await button(alice, 'Record a voice message').press('Enter');
  await recorded(alice);

  // A panel that hides the recording on a phone pauses it.
  await page.setViewportSize({ width: 360, height: 640 });
  await button(alice, 'Room menu').click();
  await page.getByRole('menuitem', { name: 'Search in this room' }).click();
  await expect.poll(() => listens(alice)).toBe(false);
  await button(alice, 'Close search').click();
  await button(alice, 'Continue recording').click();
  await expect.poll(() => listens(alice)).toBe(true);
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  await expect.poll(() => listens(alice)).toBe(false);
  await page.setViewportSize({ width: 1280, height: 800 });
  await alice.open('said');
  await button(alice, 'Continue recording').click();
  await recorded(alice);

  await button(alice, 'Pause recording').click();
  // If the browser gives the microphone after the room was left, nothing is recorded.
  await page.evaluate(() => {
    const { prompt } = window as unknown as { prompt: { answered: Promise<void> } };
    const { promise, resolve } = Promise.withResolvers<void>();
    Object.assign(window, { answer: resolve });
    prompt.answered = promise;
  });
  await button(alice, 'Continue recording').click();
  await alice.open('lobby');
  const before = await page.evaluate(() => (window as unknown as { tracks: unknown[] }).tracks.length);
  await page.evaluate(() => (window as unknown as { answer(): void }).answer());
  await page.waitForFunction(
    (length) => (window as unknown as { tracks: unknown[] }).tracks.length > length,
    before,
  );
  await expect.poll(() => listens(alice)).toBe(false);
});

test('a page that was left before it had deleted a sent recording deletes it at its next start', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  await inRoom(alice, bob, site);
  await button(alice, 'Record a voice message').press('Enter');
  await recorded(alice);
  await button(alice, 'Send voice message').click();
  await expect(bob.messages).toHaveCount(1);
  await expect.poll(() => kept(alice)).toEqual({ notes: 0, parts: 0 });
  await page.evaluate(() => {
    const note = { place: 'said', type: 'audio/webm', duration: 2000, levels: '00', sent: true };
    const [place] = Object.keys(localStorage).flatMap((key) => /^php-chat\/[^/]+\/[^/]+\//.exec(key) ?? []);
    localStorage.setItem(`${place}voice/left`, JSON.stringify(note));
  });
  expect((await kept(alice)).notes).toBe(1);
  await page.reload();
  await expect.poll(() => kept(alice)).toEqual({ notes: 0, parts: 0 });
});

test('where the storage has no room for its note, nothing of a recording is kept, and it can be sent', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  await inRoom(alice, bob, site);
  await page.evaluate(() => {
    for (let size = 2 ** 22, n = 0; size >= 1; n++) {
      try {
        localStorage.setItem(`full/${n}`, 'x'.repeat(size));
      } catch {
        size /= 2;
      }
    }
  });
  await button(alice, 'Record a voice message').click();
  // A part comes each second.
  await recorded(alice);
  await recorded(alice);
  expect(await kept(alice)).toEqual({ notes: 0, parts: 0 });
  await page.keyboard.press('Space');
  await expect(page.getByText('Paused. You can listen before you send.')).toBeVisible();
  // To be sent it needs room in the outbox.
  await page.evaluate(() => {
    for (const key of Object.keys(localStorage)) if (key.startsWith('full/')) localStorage.removeItem(key);
  });
  await button(alice, 'Send voice message').click();
  await expect(bob.messages.last().getByRole('group', { name: /^Voice message/ })).toBeVisible();
  expect(await kept(alice)).toEqual({ notes: 0, parts: 0 });
});

test('a discarded recording can be brought back until another one is begun in its place', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  await inRoom(alice, bob, site);
  await button(alice, 'Record a voice message').click();
  await recorded(alice);
  await button(alice, 'Discard').click();
  // The notice stays while it is pointed at, and while the browser asks for the microphone nothing is recorded yet.
  await button(alice, 'Undo').hover();
  await page.evaluate(() => {
    const { prompt } = window as unknown as { prompt: { answered: Promise<void> } };
    const { promise, resolve } = Promise.withResolvers<void>();
    Object.assign(window, { answer: resolve });
    prompt.answered = promise;
  });
  await button(alice, 'Record a voice message').press('Enter');
  await expect(button(alice, 'Undo')).toHaveCount(0);
  await page.evaluate(() => (window as unknown as { answer(): void }).answer());
  await recorded(alice);
  await button(alice, 'Discard').click();
  await button(alice, 'Undo').click();
  await expect(recorder(alice)).toBeFocused();
  await expect(button(alice, 'Undo')).toHaveCount(0);
});

test('without the permission to use the microphone the line above the field says so, and nothing else changes', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  await inRoom(alice, bob, site);
  await page.route(site.php.chatPage, async (route) => {
    const response = await route.fetch();
    const headers = { ...response.headers(), 'permissions-policy': 'microphone=()' };
    await route.fulfill({ response, headers });
  });
  await page.reload();
  await alice.open('said');
  await button(alice, 'Record a voice message').click();
  await expect(page.locator('.status')).toContainText('The microphone is blocked for this site.');
  await expect(recorder(alice)).toHaveCount(0);
  await alice.shot('voice-blocked');
});

test('a finger that holds the button records: slid to the start it discards, slid up it locks, let go it sends', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  await inRoom(alice, bob, site);
  // A finger holds the button: slid to the start it discards, slid up it locks, let go it sends.
  await bob.page.setViewportSize({ width: 360, height: 640 });
  const devtools = await bob.page.context().newCDPSession(bob.page);
  await devtools.send('Emulation.setTouchEmulationEnabled', { enabled: true });
  const { x = 0, y = 0 } = (await button(bob, 'Record a voice message').boundingBox()) ?? {};
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', across = 0, down = 0) =>
    devtools.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: type === 'touchEnd' ? [] : [{ x: x + 15 + across, y: y + 15 + down }],
    });
  await touch('touchStart');
  await recorded(bob);
  await expect(bob.page.getByText('Slide to discard')).toBeVisible();
  expect(await faultsIn(bob.page)).toEqual([]);
  await bob.shot('voice-held');
  await touch('touchMove', -90);
  await expect(bob.page.getByText('Recording discarded.')).toBeVisible();
  await touch('touchEnd');
  await expect(recorder(bob)).toHaveCount(0);
  await touch('touchStart');
  await expect(recorder(bob)).toBeVisible();
  await touch('touchMove', 0, -70);
  await expect(bob.page.getByText('Recording. You can let go.')).toBeVisible();
  await touch('touchEnd');
  await recorded(bob);
  await bob.shot('voice-locked');
  await button(bob, 'Pause recording').click();
  await bob.shot('voice-paused-360');
  await button(bob, 'Send voice message').click();
  await expect(alice.messages).toHaveCount(1);
  await expect(alice.messages.last()).toHaveAccessibleDescription(/^Voice message, \d:\d\d$/);
  await touch('touchStart');
  await recorded(bob);
  await touch('touchEnd');
  await expect(alice.messages).toHaveCount(2);
  // A second is the least.
  await bob.page.locator('php-chat').evaluate(({ shadowRoot }) => {
    const press = (label: string) =>
      shadowRoot?.querySelector<HTMLElement>(`.row [aria-label="${label}"]`)?.click();
    new MutationObserver(() => press('Send voice message')).observe(shadowRoot as Node, {
      childList: true,
      subtree: true,
    });
    press('Record a voice message');
  });
  await expect(bob.page.getByText('Too short. Hold to record.')).toBeVisible();
  await expect(recorder(bob)).toHaveCount(0);
});

test('a recording ends after five minutes: the end is counted down, and nothing is sent', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  await inRoom(alice, bob, site);
  await page.clock.install();
  await button(alice, 'Record a voice message').click();
  await recorded(alice);
  await page.clock.fastForward('04:32');
  await expect(page.getByText(/^0:\d\d left$/)).toBeVisible();
  await alice.shot('voice-last');
  await page.clock.fastForward('00:30');
  await expect(page.getByText('Voice messages can’t be any longer.')).toBeVisible();
  expect(await listens(alice)).toBe(false);
  await expect(button(alice, 'Continue recording')).toHaveCount(0);
  await expect(alice.messages).toHaveCount(0);
});
