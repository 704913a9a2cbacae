/** A file of its own, because the published types of the elements need it and nothing else of the texts. */
/** Texts of the page's owner, shaped like strings.json: by key, then by language. */
export type OwnersTexts = Readonly<Record<string, Readonly<Record<string, string>>>>;
