import type { OnAsideFailure } from '../chat/asides.ts';
import type { Log, QuietLog } from '../log.ts';
import { RequestError } from '../wire/errors.ts';

/**
 * Logs failures of background tasks. Storage failures are temporary, and any other failure is a bug in this program.
 */
export function asideFailures(log: Log, quiet: QuietLog): OnAsideFailure {
  return (aside, error) => {
    if (error instanceof RequestError) {
      const { code, message: reason } = error;
      quiet.warn(`${aside} ${code}`, { code, aside, reason }, 'a background task failed');
    } else {
      log.error({ err: error, code: 'internal', aside }, 'unexpected error in a background task');
    }
  };
}
