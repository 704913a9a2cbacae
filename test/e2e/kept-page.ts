import type { Page } from '@playwright/test';

/** The events that a browser sends to a page that it keeps for Back and Forward. This Chromium keeps none that has a connection. */
export async function tellKept(page: Page, event: 'pagehide' | 'pageshow'): Promise<void> {
  await page.evaluate(
    (event) => void dispatchEvent(new PageTransitionEvent(event, { persisted: true })),
    event,
  );
}
