/**
 * Texts of the page's owner, by key, then by language. In a file of its own, because the
 * published types of the elements need this and nothing else of the texts.
 */
export type OwnersTexts = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The texts that a script has set before the element was defined. As its own property they would hide those set later. */
export function earlyTexts(element: { strings?: OwnersTexts | undefined }): OwnersTexts | undefined {
  // Only its own properties: the one that hides here cannot be read yet.
  const { strings } = { ...element };
  delete element.strings;
  return strings;
}
