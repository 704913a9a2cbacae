/** Code that is loaded later than the first messages. All elements of a page share it. */
export class Late<T> {
  /** Undefined until it has come. */
  code: T | undefined;
  readonly #import: () => Promise<T>;
  #coming: Promise<T> | undefined;

  constructor(load: () => Promise<T>) {
    this.#import = load;
  }

  /** Asks for it once at a time, and again after a failure. */
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
