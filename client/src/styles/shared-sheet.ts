const sheets = new Map<string, CSSStyleSheet>();

/** All elements of a page share a sheet. It is adopted, so that a strict policy for styles does not stop it. */
export function sharedSheet(css: string): CSSStyleSheet {
  let sheet = sheets.get(css);
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    sheets.set(css, sheet);
  }
  return sheet;
}
