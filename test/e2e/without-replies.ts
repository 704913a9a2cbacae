import type { Page } from '@playwright/test';

/** Hides the lines under messages that have replies, for pictures of something else. */
export function withoutReplies(page: Page): Promise<void> {
  return page.locator('php-chat').evaluate(({ shadowRoot }) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('.replies { display: none !important }');
    shadowRoot?.adoptedStyleSheets.push(sheet);
  });
}
