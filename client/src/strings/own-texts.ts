/**
 * Texts of the page's owner, by key, then by language. In a file of its own, because the
 * published types of the elements need this and nothing else of the texts.
 */
export type OwnersTexts = Readonly<Record<string, Readonly<Record<string, string>>>>;
