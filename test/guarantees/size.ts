/** Whether this is `npm run test:soak`. A test for it alone stands behind `if (soak)`. */
export const soak = process.env.SOAK === '1';

/** The promised counts for `npm run test:soak`, smaller ones for `npm test`. */
export const size = <T = number>(promised: T, reduced: T): T => (soak ? promised : reduced);
