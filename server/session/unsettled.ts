import { SessionBusyError } from './store.ts';
import { damaged, type Look } from './verdict.ts';

/** So many readings have to show the same, the last ones that can be read. */
const enough = 4;

/** A session is written so often that no reading of it is known to be whole. */
export class UnsettledError extends SessionBusyError {
  /** What was there at several moments, in their order, but for the empty ones. Any may be half of a session. */
  readonly readings: readonly Buffer[];

  constructor(message: string, readings: readonly Buffer[]) {
    super(message);
    this.readings = readings;
  }
}

/**
 * What a session shows that its store could not give. Half of one may look like another user's, or like a logout;
 * halves of several writings do not look the same.
 * @throws the error, where it tells nothing of the session
 */
export const unread =
  (look: (bytes: Buffer) => Look) =>
  (error: unknown): Look => {
    if (!(error instanceof UnsettledError)) return damaged(error);
    const looks = error.readings
      .map(look)
      .filter(({ state }) => state === 'user' || state === 'nobody')
      .slice(-enough);
    const last = looks.at(-1);
    if (last === undefined || looks.length < enough) throw error;
    if (!looks.every((one) => userOf(one) === userOf(last))) throw error;
    return last;
  };

const userOf = (look: Look): string | undefined => (look.state === 'user' ? look.user.id : undefined);
