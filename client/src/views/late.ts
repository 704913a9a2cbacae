/** Code that loads after the first messages. */
export class Late<T> {
  /** Undefined until loaded. */
  code: T | undefined;
  readonly #import: () => Promise<T>;
  #coming: Promise<T> | undefined;

  constructor(load: () => Promise<T>) {
    this.#import = load;
  }

  /** Concurrent calls share one request. A failed load can be repeated. */
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
