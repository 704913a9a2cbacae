const full = process.env.SOAK === '1';

/** The promised counts for `npm run test:soak`, smaller ones for `npm test`. */
export const size = <T = number>(promised: T, reduced: T): T => (full ? promised : reduced);

/**
 * A time or an amount of memory that is promised: as it is for `npm run test:soak`, which has a machine to itself. CI
 * shares one, which may stand still for seconds: what is broken is beyond five times as much too.
 */
export const within = (promised: number): number => (full ? promised : promised * 5);
