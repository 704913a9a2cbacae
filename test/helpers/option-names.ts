import { useNames } from 'php-sessions';
import { expect } from 'vitest';
import { sessionNames } from '../../server/settings/config.ts';

// Test files share their modules. Without this, messages would name options as the previous file does.
useNames(expect.getState().testPath?.includes('/packages/') ? undefined : sessionNames);
