import { expect, test } from 'vitest';
import { hasValuesAlone } from '../../../server/history/engine/snapshot.ts';

const start = ' (`digest`, `at`, `erases`) VALUES\n';

test.each([
  "('x',1,'anonymise');",
  "('x',1,'anonymise'),\n(NULL,-1.5e+3,0xFF);",
  String.raw`('it\'s; (SELECT 1)',1,_binary 'a\\');`,
  "('two\nlines',1,'');",
])('accepts an INSERT with only values: %j', (rows) => {
  expect(hasValuesAlone(start + rows)).toBe(true);
});

test.each([
  " (`digest`) SELECT id FROM site_keys WHERE id IN ('a key');",
  `${start}((SELECT id FROM site_keys),1,'anonymise');`,
  `${start}('x',1,'anonymise'),\n(concat('\\\\', (SELECT id FROM site_keys)),2,'anonymise');`,
  `${start}('x',1,'a') ON DUPLICATE KEY UPDATE digest = (SELECT id FROM site_keys);`,
  `${start}('x',1 'a');`,
  `${start}(version(),1,'a');`,
  `${start}('x',1,'a')`,
  start,
])('rejects an INSERT that is incomplete or contains more than values: %j', (rows) => {
  expect(hasValuesAlone(rows)).toBe(false);
});
