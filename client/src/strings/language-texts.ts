/** The texts of a language by their keys; the owner of a page may have others than ours. */
export interface Texts {
  readonly lang: string;
  readonly by: Readonly<Record<string, string>>;
}
