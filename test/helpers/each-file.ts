import { useNames } from 'php-sessions';
import { afterAll, expect, vi } from 'vitest';
import { sessionNames } from '../../server/settings/config.ts';

// Test files share their modules and timers. Without this, messages would name options as the previous file does, and a
// file after one with fake timers would wait forever.
useNames(expect.getState().testPath?.includes('/packages/') ? undefined : sessionNames);
afterAll(() => void vi.useRealTimers());
