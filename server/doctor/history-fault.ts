import { type Finding, problem } from 'php-sessions/doctor';
import type { UnusableHistory } from '../history/unusable.ts';

const advice: Record<UnusableHistory['because'], string> = {
  data: 'Do what the message says, install the build that wrote the history, or set CHAT_HISTORY to a new one. See docs/operate/upgrade.md.',
  configuration:
    'Change what the message names, in the database or in CHAT_HISTORY. See docs/operate/database.md.',
  unavailable:
    'Start the database, or correct CHAT_HISTORY: the database must exist, and the user in CHAT_HISTORY must own it.',
};

/** Describes why a history cannot be used. */
export const describeFault = ({ message, because }: UnusableHistory): Finding =>
  problem(`${message[0]?.toUpperCase()}${message.slice(1)}.`, advice[because]);
