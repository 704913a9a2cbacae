/** Milliseconds after which a wait counts as hanging: ten times the time on a slow, busy machine. */
export const hanging = 60_000;

/**
 * A promised time, times ten, because a slow or busy machine may stand still for seconds. It shows the order of
 * magnitude, and that nothing waits for something else; `bench/` has the figures.
 */
export const within = (promised: number): number => promised * 10;
