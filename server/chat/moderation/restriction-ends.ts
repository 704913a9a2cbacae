import type { History } from '../../history/history.ts';
import type { Directory } from '../directory.ts';

/** The longest milliseconds between two checks for ends, because the wall clock may be set meanwhile. */
const lookEvery = 1000;
/** Restrictions that end in one write. */
const mostEnded = 100;

/**
 * Ends mutes and bans when their time is over, by the wall clock. Several servers may do this at once.
 * @returns a function to call whenever another one may be the next to end
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
      // Another server has ended them; its changes arrive here.
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
