/**
 * Texts of the page's owner, by key, then by language. This is a separate file, so that the published types of
 * the elements need no other file of texts.
 */
export type OwnersTexts = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * Returns the texts that a script set before the element was defined. Deletes the property, because it would hide texts
 * that are set later.
 */
export function earlyTexts(element: { strings?: OwnersTexts | undefined }): OwnersTexts | undefined {
  // Read own properties only, because the accessor that they hide cannot be used yet.
  const { strings } = { ...element };
  delete element.strings;
  return strings;
}
