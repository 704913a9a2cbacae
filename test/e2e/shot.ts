import { join } from 'node:path';
import type { Page } from '@playwright/test';

const folder = process.env.SHOTS;

/** Takes a screenshot for a human reviewer if SHOTS names a folder. Tests do not need it, and it costs CPU. */
export async function shot(page: Page, name: string): Promise<void> {
  if (folder !== undefined)
    await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
}
