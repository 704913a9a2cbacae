import { expect, test } from 'vitest';
import { list, reads, subjects } from '../../../server/history/subjects.ts';

test.each<['rules' | 'reads', object]>([
  ['rules', subjects.rules],
  ['reads', reads],
])('no two subjects have %s of one name', (kind, all) => {
  const names = list.flatMap((one) => Object.keys(one[kind]));
  expect(names.sort()).toEqual(Object.keys(all).sort());
});

test('no two subjects list the same table', () => {
  const names = subjects.tables.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
});
