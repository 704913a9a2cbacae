import { expect } from 'vitest';
import type { History, Writes } from '../../server/history/history.ts';
import { hanging } from './hanging.ts';

/** Lets a test wait until the due users of a history are processed. The clock must be stopped. */
export function watchDueUsers(history: History) {
  const inCheck = new Set<string>();
  /** The time of the last claim that found no due users, and started after the last wake. */
  let emptyAt = 0;
  let wakes = 0;
  const write = Object.assign(Object.create(history.write) as History['write'], {
    async claimDueUsers(input: Writes['claimDueUsers']['in']) {
      const wake = wakes;
      const claimed = await history.write.claimDueUsers(input);
      for (const { user } of claimed.users) inCheck.add(user);
      if (claimed.users.length === 0 && wake === wakes) emptyAt = input.at;
      return claimed;
    },
    async settleDue(input: Writes['settleDue']['in']) {
      await history.write.settleDue(input);
      for (const { user } of input.users) inCheck.delete(user);
    },
    async noteNotified(input: Writes['noteNotified']['in']) {
      const noted = await history.write.noteNotified(input);
      // An event ends the check.
      if (!input.sending) inCheck.delete(input.user);
      return noted;
    },
  });
  return {
    history: { ...history, write },
    /** Processes the users who are due now. @param wake starts a poll */
    async processDue(wake: () => void): Promise<void> {
      emptyAt = 0;
      wakes++;
      wake();
      // The server claims the next users while a check takes long, so a claim without users may come first.
      const state = () => [emptyAt, ...inCheck];
      await expect.poll(state, { timeout: hanging }).toEqual([Date.now()]);
    },
  };
}
