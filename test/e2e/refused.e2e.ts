import { privateRoom } from './as-user.ts';
import { expect, test } from './fixtures.ts';
import { Wire } from './mock-wire.ts';
import { numbered, seed } from './seed.ts';

const refused = { ok: false, error: { code: 'storage_unavailable', message: 'for this test' } };

test('older results that are refused take nothing away, and the focus stays in the search', async ({
  alice,
  site,
}) => {
  const { page } = alice;
  const shed = await privateRoom(site, 'bob', 'shed', ['1']);
  await seed(site, 'bob', shed, numbered(40, 'spanner'));
  const wire = await Wire.of(page.context());
  await page.reload();
  await alice.open('shed');
  await page.getByRole('button', { name: 'Search in this room' }).click();
  const panel = page.getByRole('complementary', { name: 'Search' });
  const field = panel.getByRole('searchbox', { name: 'Search messages' });
  const hits = panel.locator('button.hit');
  const again = panel.getByRole('button', { name: 'Try again' });
  wire.answers.set('message:search', refused);
  await field.fill('spanner');
  await expect(panel.getByText('Search isn’t available right now.')).toBeVisible();
  wire.answers.delete('message:search');
  await again.press('Enter');
  await expect(hits).toHaveCount(25);
  await expect(field).toBeFocused();
  wire.answers.set('message:search', refused);
  await panel.getByRole('button', { name: 'Older results' }).press('Enter');
  await expect(panel.getByText('Search isn’t available right now.')).toBeVisible();
  await expect(hits).toHaveCount(25);
  wire.answers.delete('message:search');
  await expect(again).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(hits).toHaveCount(40);
  await expect(hits.nth(25)).toBeFocused();
});
