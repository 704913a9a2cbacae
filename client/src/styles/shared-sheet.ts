const sheets = new Map<string, CSSStyleSheet>();

/**
 * Returns a style sheet that all elements of the page share. A strict policy for styles allows it, because it is
 * adopted.
 */
export function sharedSheet(css: string): CSSStyleSheet {
  let sheet = sheets.get(css);
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    sheets.set(css, sheet);
  }
  return sheet;
}
