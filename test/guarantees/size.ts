/** The promised counts for `npm run test:soak`, smaller ones for `npm test`. */
export const size = (promised: number, reduced: number): number =>
  process.env.SOAK === '1' ? promised : reduced;
