/** One language's texts by their keys; the owner of a page may have others than ours. */
export interface Texts {
  readonly lang: string;
  readonly by: Readonly<Record<string, string>>;
  /** Where they are an owner's: the language of ours that is below them, and what puts them above others of ours. */
  readonly above?: { readonly lang: string; put(ours: Texts): Texts };
}
