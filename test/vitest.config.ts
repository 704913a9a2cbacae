import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.unit.test.ts'],
          allowOnly: false,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.unit.test.ts', 'test/**/*.soak.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          allowOnly: false,
        },
      },
      {
        test: {
          name: 'soak',
          include: ['test/**/*.soak.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 60_000,
          allowOnly: false,
        },
      },
    ],
  },
});
