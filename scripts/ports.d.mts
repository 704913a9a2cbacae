/** The tests are type-checked and use this function. */
export function freePort(): Promise<number>;
