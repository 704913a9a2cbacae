import type { History } from '../../history/history.ts';
import type { Directory } from '../directory.ts';

/** Maximum delay between two checks, in ms. Short, because the wall clock may be set at any time. */
const lookEvery = 1000;
/** Maximum restrictions lifted in one write. */
const mostEnded = 100;

/**
 * Lifts mutes and bans when they expire, by the wall clock. Several servers may do this concurrently.
 * @returns a function to call when the next restriction to expire may be a different one
 */
export function keepEnding(
  { history, directory }: { history: History; directory: Directory },
  signal: AbortSignal,
  onFailure: (error: Error) => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let ending = false;
  const turn = async () => {
    const end = directory.restrictions.nextEnd;
    if (end === null || signal.aborted) return;
    if (end > Date.now()) return wait(end - Date.now());
    ending = true;
    try {
      const { ended } = await history.write.endRestrictions({ before: Date.now(), most: mostEnded });
      ending = false;
      // Another server lifted the expired restrictions, and its changes arrive soon.
      if (ended === 0) wait(lookEvery);
      else await turn();
    } catch (error) {
      ending = false;
      onFailure(error as Error);
      wait(lookEvery);
    }
  };
  const wait = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => void turn(), Math.min(ms, lookEvery)).unref();
  };
  signal.addEventListener('abort', () => clearTimeout(timer));
  return () => {
    if (!ending) wait(0);
  };
}
