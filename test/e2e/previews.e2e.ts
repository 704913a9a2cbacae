import { asUser } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, Person, test } from './fixtures.ts';
import { seed } from './seed.ts';

test.use({ previews: true });

const card = (person: Person, text: string) => person.message(text).locator('.page-card');

test('a link has its page under it: readers hide it for themselves, its author removes it for all', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const link = site.host(`<!doctype html><title>Spring market 2027: stalls, hours, how to come</title>
    <meta name="description" content="Forty growers from the valley, Saturday and Sunday from nine.">
    <meta property="og:image" content="/tomato.webp">`);
  for (const one of [alice, bob]) await one.open('garden');
  await alice.write(`The stalls: ${link}`);
  for (const one of [alice, bob]) {
    const preview = card(one, `The stalls: ${link}`);
    const page = preview.getByRole('link', { name: /Spring market 2027/ });
    await expect(page).toHaveAttribute('href', link);
    await expect(page).toHaveAttribute('rel', 'noopener noreferrer nofollow ugc');
    // In the card a long host is cut.
    await expect(page).toHaveAttribute('title', new URL(link).host);
    await expect(preview).toContainText('Forty growers');
    expect((await preview.boundingBox())?.height).toBe(90);
    // Its picture has come, from another origin: the pages of one IP address are not one site.
    await expect
      .poll(() => preview.locator('img').evaluate((img: HTMLImageElement) => img.naturalWidth))
      .not.toBe(0);
  }
  await bob.shot('previews');
  const his = card(bob, `The stalls: ${link}`);
  // With large text in a narrow room the words have the place of the picture.
  const boxOf = async (part: string) =>
    (await his.locator(part).boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  await expect.poll(async () => (await boxOf('img')).width).toBe(90);
  expect((await boxOf('a > div')).width).toBeGreaterThan(250);
  await bob.page.setViewportSize({ width: 400, height: 800 });
  await bob.page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
  await expect.poll(async () => (await boxOf('a > div')).width).toBeGreaterThan(200);
  const [words, image] = [await boxOf('a'), await boxOf('img')];
  expect(image.y).toBeGreaterThanOrEqual(words.y + words.height);
  await bob.shot('previews-large-text');
  await bob.page.evaluate(() => document.documentElement.style.removeProperty('font-size'));
  await bob.page.setViewportSize({ width: 1280, height: 800 });
  await his.hover();
  await his.getByRole('button', { name: 'Hide preview' }).click();
  await expect(his.getByRole('link')).toHaveCount(0);
  await bob.page.reload();
  await his.getByRole('button', { name: /Show preview/ }).click();
  await expect(his).toContainText('Forty growers');
  const hers = card(alice, `The stalls: ${link}`);
  await hers.hover();
  await hers.getByRole('button', { name: 'Remove preview for everyone' }).click();
  for (const one of [hers, his]) await expect(one).toHaveCount(0);
  // A page with nothing to show leaves nothing.
  const empty = site.host('<p>no title</p>');
  await alice.write(`Nothing: ${empty}`);
  await expect(alice.message(`Nothing: ${empty}`)).toBeVisible();
  await expect(card(bob, `Nothing: ${empty}`)).toHaveCount(0);
  // While it is written it has its host alone; without that it goes without the page, after a reload, too.
  const { field } = alice;
  await field.fill(`Quietly: ${link}`);
  const { host } = new URL(link);
  const strip = alice.page.locator('.composer .context', { hasText: host });
  await expect(strip).toHaveText(host);
  await alice.shot('preview-while-writing');
  expect(await faultsIn(alice.page)).toEqual([]);
  await strip.getByRole('button', { name: 'Send without preview' }).click();
  await expect(strip).toHaveCount(0);
  await expect(field).toBeFocused();
  await alice.page.reload();
  await expect(field).toHaveValue(`Quietly: ${link}`);
  await field.press('Enter');
  await expect(bob.message(`Quietly: ${link}`)).toBeVisible();
  await expect(card(bob, `Quietly: ${link}`)).toHaveCount(0);
  // Another link in its place has its page again, and so has the next message.
  const next = site.host('<!doctype html><title>Autumn market</title>');
  await field.fill(`Loudly: ${link}spring`);
  await strip.getByRole('button', { name: 'Send without preview' }).click();
  await expect(strip).toHaveCount(0);
  await alice.write(`Loudly: ${next}`);
  await expect(card(bob, `Loudly: ${next}`)).toContainText('Autumn market');
});

test('a link in a direct room has its page when both want that', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const direct = await asUser(site, 'bob', async (ask) => (await ask('direct:open', { user: '1' })).room.id);
  await seed(site, 'bob', direct, ['hello']);
  await alice.open('Bob');
  const header = alice.page.getByRole('region', { name: 'Bob' }).getByRole('heading', { name: 'Bob' });
  await header.getByRole('button').click();
  const details = alice.page.getByRole('complementary', { name: 'Details' });
  await details.getByRole('tab', { name: 'Settings' }).click();
  const wish = details.getByRole('switch', { name: 'Previews of links' });
  await expect(wish).toHaveAttribute('aria-checked', 'false');
  await wish.click();
  await expect(wish).toHaveAttribute('aria-checked', 'true');
  const hint = details.getByText('As soon as both of you want it');
  await expect(hint).toBeVisible();
  await alice.shot('previews asked for');
  expect(await faultsIn(alice.page)).toEqual([]);
  await asUser(site, 'bob', (ask) => ask('room:previews', { room: direct, previews: 'on' }));
  await expect(hint).toHaveCount(0);
  const link = site.host('<!doctype html><title>Spring market</title>');
  await alice.write(`The stalls: ${link}`);
  await expect(card(alice, `The stalls: ${link}`)).toContainText('Spring market');
});

test.describe('where messages wait for a moderator', () => {
  test.use({ roles: true, hold: true });

  test('words that come back into the field go without a preview again', { tag: '@soak' }, async ({
    site,
    window,
  }) => {
    const carol = new Person(await window('carol'));
    const sent: string[] = [];
    carol.page.on('websocket', (socket) =>
      socket.on('framesent', ({ payload }) => {
        if (payload.includes('message:send')) sent.push(payload.toString());
      }),
    );
    await carol.enter(site, 'carol');
    await carol.open('lobby');
    const text = `Quietly: ${site.host('<!doctype html><title>Spring market</title>')}`;
    await carol.field.fill(text);
    await carol.page.getByRole('button', { name: 'Send without preview' }).click();
    await carol.field.press('Enter');
    const waiting = carol.messages.filter({ hasText: 'Waiting for a moderator' });
    await waiting.getByRole('button', { name: 'Edit' }).click();
    await expect(waiting).toHaveCount(0);
    await carol.field.fill(`${text} today`);
    await carol.field.press('Enter');
    await expect(waiting).toContainText('today');
    const withoutPreview = expect.stringContaining('"preview":false');
    expect(sent).toEqual([withoutPreview, withoutPreview]);
  });
});
