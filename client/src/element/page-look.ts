/** Returns a rule with the font of the page, and with its background for dark mode. */
export function pageLook(host: Element): string {
  const { fontFamily } = getComputedStyle(host);
  // The default of browsers, in pages without a font of their own.
  const font = /^("?Times|serif$)/.test(fontFamily) ? 'system-ui' : fontFamily;
  let box: Element | null | undefined = host;
  let color: string;
  do {
    box = box?.parentElement;
    color = box ? getComputedStyle(box).backgroundColor : 'initial';
    // A translucent colour is `rgba(…)`, or has a slash.
  } while (/^rgba|\//.test(color));
  return `:host{--page-font:${font};--page:${color}}`;
}
