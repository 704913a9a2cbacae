import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/**
 * The rules of axe for a page whose content is in one frame. Without this each run would open a separate page to merge
 * the results of frames.
 */
export function axe(page: Page): AxeBuilder {
  return new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });
}

/** The violations that axe finds in this part of the chat. */
export async function faultsIn(page: Page, part?: string) {
  const builder = axe(page).include(part === undefined ? 'php-chat' : ['php-chat', part]);
  return (await builder.analyze()).violations;
}
