/** In ms. A longer wait counts as hanging. On a slow, busy machine, waits take at most a tenth of this. */
export const hanging = 60_000;

/**
 * Returns ten times the promised time, because a slow or busy machine may stall for seconds. A test with this limit
 * still shows the order of magnitude, and detects a wait for a timeout. `bench/` measures the actual times.
 */
export const within = (promised: number): number => promised * 10;
