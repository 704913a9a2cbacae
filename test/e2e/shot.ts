import { join } from 'node:path';
import type { Page } from '@playwright/test';

/** The folder for screenshots for a human reviewer, if SHOTS names one. */
export const shotFolder = process.env.SHOTS;

/** Takes a screenshot into `shotFolder`. Tests do not need it, and it costs CPU. */
export async function shot(page: Page, name: string): Promise<void> {
  if (shotFolder !== undefined)
    await page.screenshot({ path: join(shotFolder, `${name}.png`), animations: 'disabled' });
}
