import type { Logins } from 'php-sessions';
import type { Log } from '../log.ts';
import { howToRun } from '../program/how-to-run.ts';

/** Milliseconds after which a store that could not be read is tried again. */
const againAfter = 5000;
const hint = `start the store, or correct CHAT_SESSION_STORE or CHAT_SITE; ${howToRun('doctor')} checks it with the same settings`;

/**
 * Logs if the session store cannot be read at the start, and when it can. Otherwise that would show only when a visitor
 * connects. The server starts anyway, because a store may take longer to start.
 * @returns a function that stops this
 */
export function reportStore(logins: Pick<Logins, 'fault'>, log: Log): () => void {
  let reported: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const ask = async (): Promise<void> => {
    const fault = await logins.fault();
    if (ended) return;
    if (fault === null) {
      if (reported !== undefined) log.info('the session store can be read');
      return;
    }
    // The fault may be another one by now, for example a wrong password once the store answers.
    if (fault.message !== reported) {
      log.error(
        { reason: fault.message, hint: fault.hint ?? hint },
        'the session store cannot be read: nobody can connect',
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
