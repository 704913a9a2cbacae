import { expect, test, vi } from 'vitest';
import type { DatabaseConnection, ServerDialect } from '../../../server/history/engine/dialect.ts';
import { openSqlReads } from '../../../server/history/engine/sql.ts';

test('closes the connection of a history that cannot be read', async () => {
  const destroy = vi.fn();
  const query = () => Promise.reject(new Error('no such table'));
  const connection = { query, queryPatiently: query, destroy } as Partial<DatabaseConnection>;
  const dialect = { connect: async () => connection } as Partial<ServerDialect> as ServerDialect;
  await expect(openSqlReads(dialect, {})).rejects.toThrow('no such table');
  expect(destroy).toHaveBeenCalledOnce();
});
