import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/**
 * Configures axe for a page whose content is in one frame. Otherwise each run opens a separate page to merge
 * the results of frames.
 */
export async function axe(page: Page): Promise<AxeBuilder> {
  // Loading its script again is slow.
  const loaded = await page.evaluate(() => 'axe' in globalThis);
  const builder = new AxeBuilder({ page, ...(loaded && { axeSource: ';' }) });
  return builder.setLegacyMode().options({ resultTypes: ['violations'] });
}

/** The violations that axe finds in a part of the chat. */
export async function faultsIn(page: Page, part?: string) {
  const builder = (await axe(page)).include(part === undefined ? 'php-chat' : ['php-chat', part]);
  return (await builder.analyze()).violations;
}
