import { afterAll, afterEach } from 'vitest';
import { takeFailures } from './inside-process.ts';

function check(): void {
  const [failure] = takeFailures();
  if (failure !== undefined) throw failure;
}

afterEach(check);
// For what opens something outside of tests.
afterAll(check);
