/** Whether this is `npm run test:soak`. Tests only for it are inside `if (soak)`. */
export const soak = process.env.SOAK === '1';

/** Returns the documented count in `npm run test:soak`, and the reduced one in `npm test`. */
export const size = <T = number>(promised: T, reduced: T): T => (soak ? promised : reduced);
