const full = process.env.SOAK === '1';

/** The promised counts for `npm run test:soak`, smaller ones for `npm test`. */
export const size = <T = number>(promised: T, reduced: T): T => (full ? promised : reduced);
