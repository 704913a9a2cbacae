import { join } from 'node:path';
import type { Page } from '@playwright/test';

const folder = process.env.SHOTS;

/**
 * A screenshot for people, in the folder that SHOTS names. It takes a tenth of a second of CPU, which no test needs.
 */
export async function shot(page: Page, name: string): Promise<void> {
  if (folder !== undefined)
    await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
}
