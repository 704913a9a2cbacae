import type { Logins } from 'php-sessions';
import type { Log } from '../log.ts';
import { howToRun } from '../program/how-to-run.ts';

/** The store is checked again after this time (ms) while it cannot be read. */
const againAfter = 5000;
export const storeHint = `start the store, or correct CHAT_SESSION_STORE or CHAT_SITE; ${howToRun('doctor')} checks it with the same settings`;

/**
 * Logs if the session store cannot be read at startup, and when it recovers. Otherwise the fault would show only when a
 * visitor connects. The server starts anyway, because the store may take longer to start.
 * @returns a function that stops the checks
 */
export function reportStore(logins: Pick<Logins, 'fault'>, log: Log): () => void {
  let reported: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const ask = async (): Promise<void> => {
    const fault = await logins.fault();
    if (ended) return;
    if (fault === null) {
      if (reported !== undefined) log.info('session store available again');
      return;
    }
    // The fault may differ from the last one, for example a wrong password once the store responds.
    if (fault.message !== reported) {
      log.error(
        { reason: fault.message, hint: fault.hint ?? storeHint },
        'session store unavailable, rejecting connections',
      );
    }
    reported = fault.message;
    timer = setTimeout(ask, againAfter).unref();
  };
  void ask();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
