import { startFrameworkSite } from '../helpers/framework-site.ts';
import { expect, test } from './fixtures.ts';

for (const framework of ['laravel', 'symfony'] as const) {
  // test/php shows the login, the ticket and the logout of both, and tickets.e2e.ts a chat by ticket.
  test(`a user of a ${framework} application chats until the logout`, { tag: '@soak' }, async ({ page }) => {
    const site = await startFrameworkSite(framework);
    await page.goto(`${site.url}/talk`);
    await expect(page.locator('php-chat')).toHaveCount(0);
    await page.goto(`${site.url}/login`);
    await page.goto(`${site.url}/talk`);
    const field = page.getByRole('textbox', { name: /^Message to/ });
    await field.fill('hello');
    await field.press('Enter');
    await expect(page.getByRole('article').filter({ hasText: 'hello' })).toContainText(/Sent|Seen/);
    const logout = await page.context().newPage();
    await logout.goto(`${site.url}/logout`);
    await expect(page.getByRole('log')).toBeHidden();
    await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
    await site.stop();
  });
}
