import { AsyncLocalStorage } from 'node:async_hooks';

/** A request may read this often after a turn. Then it waits for another turn, because it may have many reads. */
const maxContinuing = 3;

/** The account whose request runs. */
interface Requester {
  account: string;
  /** How many reads may continue the last turn. */
  continuing: number;
  /** Until when its reads may wait for those of other accounts, by the monotonic clock. */
  waitsUntil: number;
}

const requesters = new AsyncLocalStorage<Requester>();

/**
 * Runs a request of an account, so that its reads of the history take the turns of this account.
 * @param waitsUntil see `Requester`
 */
export async function runFor<T>(
  account: string,
  request: () => Promise<T>,
  waitsUntil = Number.POSITIVE_INFINITY,
): Promise<T> {
  const requester: Requester = { account, continuing: 0, waitsUntil };
  try {
    return await requesters.run(requester, request);
  } finally {
    // The request may have started work of the server that continues, such as a timer.
    requester.account = '';
  }
}

/** The turn of a read: see `FairTurns.run`. */
export interface Turn {
  /** Empty for the server itself. */
  account: string;
  maxWaitMs: number | undefined;
  continues: boolean;
}

/** The turn of work that belongs to no request. */
export const turnOfServer: Turn = { account: '', maxWaitMs: undefined, continues: false };

/** Runs a read of the history in the turn of the request that runs. */
export function readInTurn<T>(read: (turn: Turn) => Promise<T>): Promise<T> {
  const requester = requesters.getStore();
  if (requester === undefined || requester.account === '') return read(turnOfServer);
  const { account, waitsUntil } = requester;
  const maxWaitMs =
    waitsUntil === Number.POSITIVE_INFINITY ? undefined : Math.max(1, waitsUntil - performance.now());
  const continues = requester.continuing > 0;
  if (continues) requester.continuing--;
  const result = read({ account, maxWaitMs, continues });
  if (!continues) result.then(() => (requester.continuing = maxContinuing), ignore);
  return result;
}

function ignore(): void {}
