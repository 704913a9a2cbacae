import type { Page } from '@playwright/test';

/**
 * Dispatches the events for a page that the browser keeps for Back and Forward. Chromium does not keep pages
 * with an open connection.
 */
export async function tellKept(page: Page, event: 'pagehide' | 'pageshow'): Promise<void> {
  await page.evaluate(
    (event) => void dispatchEvent(new PageTransitionEvent(event, { persisted: true })),
    event,
  );
}
