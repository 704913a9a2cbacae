import type { Finding } from 'php-sessions/doctor';
import { lineForScreen } from '../text/blank.ts';

/** Advice for sites whose sessions cannot be renewed. */
export const withoutRenewal = 'set CHAT_SESSION_KEEPALIVE=off';

const marks = { ok: '✓', warning: '!', problem: '✗' };

/** Returns a finding as lines for the screen. */
export const findingLines = ({ level, text, advice }: Finding): string[] => [
  `${marks[level]} ${lineForScreen(text)}`,
  ...(advice === undefined ? [] : [`  → ${lineForScreen(advice)}`]),
];
