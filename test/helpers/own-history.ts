import { expect, onTestFinished } from 'vitest';
import type { History } from '../../server/history/history.ts';
import { openSqliteHistory } from '../../server/history/sqlite/sqlite.ts';
import { historyFolder } from './chat-server.ts';

/** Fails the test that calls it. */
export const unexpectedFailure = ({ message }: Error) => expect.unreachable(message);

/** Opens a history for one test, which fails if the history does. */
export async function ownHistory(): Promise<History> {
  const kept = historyFolder();
  const history = await openSqliteHistory({ path: kept.path, onFailure: unexpectedFailure });
  onTestFinished(async () => {
    await history.close();
    kept.remove();
  });
  return history;
}
