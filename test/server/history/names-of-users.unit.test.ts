import { expect, test } from 'vitest';
import { namesOfUsers } from '../../../server/history/engine/erase-again.ts';
import { columnTypes } from '../../../server/history/records/columns.ts';
import { tables } from '../../../server/history/subjects.ts';

test('searches each column from which an erasure removes users for erased users after a restore', () => {
  const erased = tables.flatMap(({ name, columns, erased }) =>
    (erased?.users ?? []).map((field) => `${name}.${columns[field]}`),
  );
  expect(erased.length).toBeGreaterThan(10);
  expect(erased.filter((column) => !namesOfUsers.includes(column.split('.')[1] as string))).toEqual([]);
});

test('searches only columns that exist for erased users after a restore', () => {
  expect(namesOfUsers.filter((column) => !(column in columnTypes))).toEqual([]);
});
