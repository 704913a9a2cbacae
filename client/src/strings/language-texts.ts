/** The texts of a language by their keys. The owner of a page may have changed some of them. */
export interface Texts {
  readonly lang: string;
  readonly by: Readonly<Record<string, string>>;
  /** Loads the texts that only late code shows, and returns all texts. Absent if `by` has all texts. */
  all?(): Promise<Texts['by']>;
}
