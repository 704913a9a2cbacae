import type { History } from '../history/history.ts';

/** The progress of the renewal: how many users have new keys, and whether there are more. */
export interface KeyRenewal {
  users: number;
  more: boolean;
}

/** Users renewed in one write, and the delay between writes in ms. */
const usersPerWrite = 50;
const delayMs = 20;
/** The interval in ms between checks, because a server of the previous version may still store its keys. */
const intervalMs = 60 * 60 * 1000;

/**
 * Renews the search keys of users now and regularly, until `signal` aborts: see `foldingVersion`. Each write finds the
 * next users, so a restarted server continues. If the history fails, the next turn tries again.
 * @param onRenewed called after each write that renewed keys, and after the last one
 */
export function renewSearchKeys(
  history: History,
  signal: AbortSignal,
  onRenewed: (renewal: KeyRenewal) => void,
  onFailure: (error: Error) => void,
): void {
  let isRunning = false;
  const turn = async () => {
    if (isRunning) return;
    isRunning = true;
    try {
      let renewed = 0;
      for (let more = true; more && !signal.aborted; ) {
        const { users } = await history.write.renewKeys({ most: usersPerWrite });
        renewed += users;
        more = users === usersPerWrite;
        if (renewed > 0) onRenewed({ users: renewed, more });
        if (more) await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    } catch (error) {
      // After `signal` aborts, the history may be closed while a turn still runs.
      if (!signal.aborted) onFailure(error as Error);
    } finally {
      isRunning = false;
    }
  };
  const timer = setInterval(() => void turn(), intervalMs).unref();
  signal.addEventListener('abort', () => clearInterval(timer));
  void turn();
}
