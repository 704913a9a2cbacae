/** The texts of a language by their keys. The owner of a page may have changed some of them. */
export interface Texts {
  readonly lang: string;
  readonly by: Readonly<Record<string, string>>;
}
