/**
 * Code that the first messages do not need. It comes when they are shown, or as soon as it is wanted; all elements of
 * a page share it.
 */
export class Later<T> {
  /** Undefined until it has come. */
  code: T | undefined;
  readonly #import: () => Promise<T>;
  #coming: Promise<T> | undefined;

  constructor(load: () => Promise<T>) {
    this.#import = load;
  }

  /** Asks for it once at a time, and anew after a failure. */
  load(): Promise<T> {
    this.#coming ??= this.#import().then(
      (code) => {
        this.code = code;
        return code;
      },
      (error: unknown) => {
        this.#coming = undefined;
        throw error;
      },
    );
    return this.#coming;
  }
}
