/** The promised counts for `npm run test:soak`, smaller ones for `npm test`. */
export const size = <T = number>(promised: T, reduced: T): T =>
  process.env.SOAK === '1' ? promised : reduced;
