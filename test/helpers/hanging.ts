/** A wait of more milliseconds counts as hanging. A wait on a slow, busy machine takes a tenth of it. */
export const hanging = 60_000;

/**
 * Returns ten times the promised time, because a slow or busy machine may stall for seconds. It shows the order of
 * magnitude, and that nothing waits for something else. `bench/` has the figures.
 */
export const within = (promised: number): number => promised * 10;
