import { onTestFinished, vi } from 'vitest';

/**
 * Stops the wall clock until the test ends, so that nothing becomes due meanwhile, however slow the machine is. Timers
 * continue.
 * @returns a function that moves the clock forward by milliseconds
 */
export function stopClock(): (ms: number) => void {
  vi.setSystemTime(Date.now());
  onTestFinished(() => void vi.useRealTimers());
  return (ms) => void vi.setSystemTime(Date.now() + ms);
}
