import type { Locator } from '@playwright/test';
import { upload } from '../helpers/files.ts';
import { wav } from '../helpers/media.ts';
import { privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, type Person, type Site, stepInSoak, test } from './fixtures.ts';
import { seed } from './seed.ts';

const button = ({ page }: Person, name: string) => page.getByRole('button', { name, exact: true });
const recorder = ({ page }: Person) => page.getByRole('group', { name: 'Recording' });

/** Waits until another second is recorded. */
async function waitForSecond(person: Person): Promise<void> {
  const timer = recorder(person).getByRole('timer');
  const before = (await timer.textContent()) ?? '';
  await expect.poll(() => timer.textContent()).not.toBe(before);
}

/** Whether the microphone is in use. */
const isListening = ({ page }: Person) =>
  page.evaluate(() =>
    (window as unknown as { tracks: MediaStreamTrack[] }).tracks.some((track) => track.readyState === 'live'),
  );

/** Resolves when the position in a sound reaches the first second. At its end, the position returns to 0:00. */
const reachesSecond = (position: Locator) =>
  position.evaluate(
    (slider) =>
      new Promise<void>((resolve) => {
        const look = () => slider.ariaValueText?.startsWith('0:00') === false && resolve();
        new MutationObserver(look).observe(slider, { attributeFilter: ['aria-valuetext'] });
      }),
  );

/** Counts the recordings stored in the browser: notes in localStorage, parts in databases. */
const countRecordings = ({ page }: Person) =>
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

/**
 * Opens a room with Alice and Bob. The test sees the tracks of Alice's microphone and delays the permission.
 */
async function inRoom(alice: Person, bob: Person, site: Site): Promise<string> {
  const room = await privateRoom(site, 'alice', 'said', ['2']);
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
  return room;
}

/** Makes the browser ask before the page uses the microphone. @returns a function that accepts */
async function askFirst({ page }: Person): Promise<() => Promise<void>> {
  await page.evaluate(() => {
    const { prompt } = window as unknown as { prompt: { answered: Promise<void> } };
    const { promise, resolve } = Promise.withResolvers<void>();
    Object.assign(window, { answer: resolve });
    prompt.answered = promise;
  });
  return () => page.evaluate(() => (window as unknown as { answer(): void }).answer());
}

test('does not record by a second click on the send button', async ({ alice, bob, site }) => {
  await inRoom(alice, bob, site);
  await alice.field.fill('only once');
  await button(alice, 'Send').dblclick();
  await expect(alice.message('only once')).toHaveCount(1);
  await expect(button(alice, 'Record a voice message')).toBeVisible();
  await expect(recorder(alice)).toHaveCount(0);
});

test('records a voice message, sends it and plays it', { tag: '@soak' }, async ({ alice, bob, site }) => {
  const { page } = alice;
  await inRoom(alice, bob, site);
  const nothing = { notes: 0, parts: 0 };

  await test.step('replaces the field with the recorder', async () => {
    const heightOf = () => page.locator('.field').evaluate((field) => field.clientHeight);
    const height = await heightOf();
    await button(alice, 'Record a voice message').press('Enter');
    await expect(recorder(alice)).toBeFocused();
    await waitForSecond(alice);
    expect(await heightOf()).toBe(height);
    await expect(page.getByText('Enter to send, Space to pause, Esc to discard')).toBeVisible();
    expect(await faultsIn(page)).toEqual([]);
    await alice.shot('voice-recording');
  });

  await test.step('releases the microphone on a pause and continues the same recording', async () => {
    await page.keyboard.press('Space');
    await expect(page.getByText('Paused. You can listen before you send.')).toBeVisible();
    expect(await isListening(alice)).toBe(false);
    await button(alice, 'Play').hover();
    await expect(page.getByRole('tooltip')).toHaveText('Play');
    const position = recorder(alice).getByRole('slider', { name: 'Position' });
    await Promise.all([reachesSecond(position), button(alice, 'Play').click()]);
    expect(await faultsIn(page)).toEqual([]);
    await alice.shot('voice-paused');
    await button(alice, 'Continue recording').click();
    await waitForSecond(alice);
    expect(await isListening(alice)).toBe(true);
  });

  await stepInSoak(
    'pauses when the user leaves the room, and ignores a permission that comes late',
    async () => {
      await alice.open('lobby');
      expect(await isListening(alice)).toBe(false);
      await expect(button(alice, 'Record a voice message')).toBeVisible();
      await alice.open('said');
      const answer = await askFirst(alice);
      await button(alice, 'Continue recording').click();
      await alice.open('lobby');
      const count = () => page.evaluate(() => (window as unknown as { tracks: unknown[] }).tracks.length);
      const before = await count();
      await answer();
      await expect.poll(count).toBeGreaterThan(before);
      await expect.poll(() => isListening(alice)).toBe(false);
      await alice.open('said');
      await button(alice, 'Continue recording').click();
      await waitForSecond(alice);
    },
  );

  await test.step('keeps the recording through a reload, and restores a discarded one', async () => {
    await expect.poll(async () => (await countRecordings(alice)).parts).toBeGreaterThan(0);
    await page.reload();
    await alice.open('said');
    await expect(page.getByText('You haven’t sent this recording yet.')).toBeVisible();
    await button(alice, 'Discard').click();
    // The notice stays while the pointer is over it.
    await button(alice, 'Undo').hover();
    await expect(page.getByText('Recording discarded.')).toBeVisible();
    await expect(alice.field).toBeVisible();
    await expect.poll(() => countRecordings(alice)).toEqual(nothing);
    await button(alice, 'Undo').click();
    await expect(recorder(alice)).toBeFocused();
    await expect(bob.messages).toHaveCount(0);
  });

  await test.step('sends the recording once despite a reload during the upload', async () => {
    const held = Promise.withResolvers<void>();
    await page.route('**/files?**', async () => held.promise);
    await page.keyboard.press('Enter');
    await expect(alice.messages.last().getByRole('progressbar')).toBeVisible();
    await expect(alice.field).toBeFocused();
    await page.unroute('**/files?**');
    await page.reload();
    await expect(bob.messages).toHaveCount(1);
    held.resolve();
    const voice = bob.messages.last().getByRole('group', { name: /^Voice message, \d:\d\d$/ });
    await expect(voice).toBeVisible();
    await expect(bob.page.getByRole('navigation', { name: 'Rooms' })).toContainText(/Voice message, \d:\d\d/);
    await expect.poll(() => countRecordings(alice)).toEqual(nothing);
    const play = voice.getByRole('button', { name: 'Play' });
    await Promise.all([reachesSecond(voice.getByRole('slider')), play.click()]);
    await bob.shot('voice-heard');
  });

  await test.step('removes recordings at a logout and for the next user of the browser', async () => {
    await page.clock.install();
    await button(alice, 'Record a voice message').click();
    await waitForSecond(alice);
    await expect.poll(async () => (await countRecordings(alice)).parts).toBeGreaterThan(0);
    await alice.enter(site, 'carol');
    await expect.poll(() => countRecordings(alice)).toEqual(nothing);
    await alice.open('lobby');
    await button(alice, 'Record a voice message').click();
    await waitForSecond(alice);
    const { value } = (await page.context().cookies()).find(({ name }) => name === 'PHPSESSID') ?? {};
    await site.memcached.delete(`sessions/${value}`);
    await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
    expect(await isListening(alice)).toBe(false);
    const later = async () => {
      await page.clock.fastForward(1000);
      return countRecordings(alice);
    };
    await expect.poll(later).toEqual(nothing);
  });
});

test('plays and records voice messages', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  // The recordings take as long as they sound.
  test.slow();
  const { page } = alice;
  const room = await inRoom(alice, bob, site);

  await test.step('plays voice messages in order, with a bar while they are out of sight', async () => {
    const { value = '' } = (await page.context().cookies()).find(({ name }) => name === 'PHPSESSID') ?? {};
    const peaks = '05afkpuvspk9'.repeat(4).slice(0, 46);
    const options = { room, name: 'voice.wav', peaks, headers: { origin: site.php.url } };
    const seeds = [];
    for (const seconds of [1, 60]) {
      const { file } = await upload(site.chat.url, `PHPSESSID=${value}`, wav(seconds), options);
      seeds.push({ text: '', files: [{ id: file.id }] });
    }
    await seed(site, 'alice', room, seeds);
    await expect(bob.messages).toHaveCount(2);
    const unheard = bob.page.getByRole('img', { name: 'not played yet' });
    await expect(unheard).toHaveCount(2);
    const [first, second] = await bob.page.getByRole('group', { name: /^Voice message/ }).all();
    await first?.getByRole('button', { name: 'Play' }).click();
    await expect(second?.getByRole('button', { name: 'Pause' }) ?? bob.banner).toBeVisible();
    await expect(unheard).toHaveCount(0);
    await bob.open('lobby');
    const bar = bob.page.getByRole('region', { name: 'Playing' });
    await expect(bar.getByRole('button', { name: 'Pause' })).toBeVisible();
    await bar.getByRole('button', { name: 'Stop playing' }).click();
    await expect(bar).toHaveCount(0);
    await bob.open('said');
  });

  await test.step('records while the button is held, discards on a slide to the left and locks on a slide up', async () => {
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
    await waitForSecond(bob);
    await expect(bob.page.getByText('Slide to discard')).toBeVisible();
    await touch('touchMove', -90);
    await expect(bob.page.getByText('Recording discarded.')).toBeVisible();
    await touch('touchEnd');
    await expect(recorder(bob)).toHaveCount(0);
    await touch('touchStart');
    await expect(recorder(bob)).toBeVisible();
    await touch('touchMove', 0, -70);
    await expect(bob.page.getByText('Recording. You can let go.')).toBeVisible();
    await touch('touchEnd');
    await waitForSecond(bob);
    await bob.shot('voice-locked');
    await button(bob, 'Send voice message').click();
    await expect(alice.messages).toHaveCount(3);
    // For half a second, the send button stays there for the second tap of a double tap.
    await expect(button(bob, 'Record a voice message')).toBeVisible();
    await touch('touchStart');
    await waitForSecond(bob);
    await touch('touchEnd');
    await expect(alice.messages).toHaveCount(4);
  });

  await test.step('ends a recording after five minutes with a countdown, without sending it', async () => {
    await page.clock.install();
    await button(alice, 'Record a voice message').click();
    await waitForSecond(alice);
    await page.clock.fastForward('04:32');
    await expect(page.getByText(/^0:\d\d left$/)).toBeVisible();
    await alice.shot('voice-last');
    await page.clock.fastForward('00:30');
    await expect(page.getByText('Voice messages can’t be any longer.')).toBeVisible();
    expect(await isListening(alice)).toBe(false);
    await expect(button(alice, 'Continue recording')).toHaveCount(0);
    await expect(alice.messages).toHaveCount(4);
  });
});
