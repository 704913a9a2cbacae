/** Keeps this process from doing anything, reading answers too, as a machine does that stands still. */
export function holdUp(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
