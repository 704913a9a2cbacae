const full = process.env.SOAK === '1';

/** The promised counts for `npm run test:soak`, smaller ones for `npm test`. */
export const size = <T = number>(promised: T, reduced: T): T => (full ? promised : reduced);

/**
 * A promised time, times ten, because a slow or busy machine may stand still for seconds. It shows the order of
 * magnitude, and that nothing waits for something else; `bench/` has the figures.
 */
export const within = (promised: number): number => promised * 10;
