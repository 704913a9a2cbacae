import { test } from 'vitest';
import { soak } from '../guarantees/size.ts';

/** Defines a test of what another test in `npm test` shows by another way. It runs in `npm run test:soak`. */
export const againInSoak = (title: string, run: () => Promise<void>): void => {
  if (soak) test(title, run);
};
