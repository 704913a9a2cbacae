import { type TestContext, test } from 'vitest';
import { soak } from '../guarantees/size.ts';

/**
 * Defines a test that only `npm run test:soak` runs, because another test shows most of the same in less time, or because
 * it takes long and the code that it tests seldom changes.
 */
export const againInSoak = (title: string, run: (context: TestContext) => Promise<void>): void => {
  if (soak) test(title, run);
};
