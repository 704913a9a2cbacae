import { expect, type Person, test } from './fixtures.ts';

test.use({ previews: true });

const card = (person: Person, text: string) => person.message(text).locator('.page-card');

test('a link has its page under it: readers hide it for themselves, its author removes it for all', async ({
  alice,
  bob,
  site,
}) => {
  const link = site.host(`<!doctype html><title>Spring market 2027: stalls, hours, how to come</title>
    <meta name="description" content="Forty growers from the valley, Saturday and Sunday from nine.">`);
  for (const one of [alice, bob]) await one.open('garden');
  await alice.write(`The stalls: ${link}`);
  for (const one of [alice, bob]) {
    const preview = card(one, `The stalls: ${link}`);
    const page = preview.getByRole('link', { name: /Spring market 2027/ });
    await expect(page).toHaveAttribute('href', link);
    await expect(page).toHaveAttribute('rel', 'noopener noreferrer nofollow ugc');
    await expect(preview).toContainText('Forty growers');
    expect((await preview.boundingBox())?.height).toBe(90);
  }
  await bob.shot('previews');
  const his = card(bob, `The stalls: ${link}`);
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
});
