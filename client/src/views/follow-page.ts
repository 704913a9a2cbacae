import { pageLook } from '../element/page-look.ts';

/** Follows the page when it changes between light and dark. */
export function followPage(root: ShadowRoot, signal: AbortSignal): void {
  const sheet = new CSSStyleSheet();
  root.adoptedStyleSheets.push(sheet);
  const follow = () => sheet.replaceSync(pageLook(root.host));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', follow, { signal });
  // During a transition, the background does not have its final colour yet.
  addEventListener('transitionend', follow, { signal });
  // Pages switch their colours by an attribute such as `class` or `data-theme`.
  const changed = new MutationObserver(follow);
  for (const element of [document.documentElement, document.body])
    changed.observe(element, { attributes: true });
  signal.addEventListener('abort', () => changed.disconnect());
}
