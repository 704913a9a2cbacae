import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { tablesAfter } from '../../../server/backup/manifest.ts';
import { migrationsFolder } from '../../../server/history/migrations.ts';

/**
 * The fingerprints of the tables after each migration, which histories and backups contain. Never change one. For a new
 * file in server/history/migrations, add the value that the test shows.
 */
const fingerprints = {
  '001-tables.sql': '738d6ae7361c16464c5416b6751856228a85b56f49d7571ce6fa6476691924df',
  '002-folding.sql': 'bfaa43e694d9e05ae17231d5c5eb6f19b2c98b18fff89583a1731035b291b323',
  '003-search-filters.sql': '522d3140d9e55448f3458a97494eb7823e7f8093a07506ee95d0bc288b6c548f',
  '004-list-indexes.sql': '488a250825c757edc73c4ed7e8c097f78d176bdccb948ece9a6e0ec6711b70d3',
  '005-search-parts.sql': 'a77cfb254928697271bafafb95c44a929f4d73d417e0e0c74b86fcf2bfa2fbfb',
  '006-mail-replies.sql': 'baa250fb9baa00956898102d550a53333dbf104679c43df513338dc799c280ad',
  '007-questions.sql': '2f6a2e94c093b5cdbc7016ebe3d3829a1eda4214ebbf370b156007e58eded8bc',
  '008-team-order.sql': '0ef76c85cee545160c007007dd244496ecf61712310fdca537806e776de4194a',
  '009-own-unread.sql': '7dc21f22fe9dee9a00f2f5424cbf4b9e100a45b978f6cddd73337c816ad32ab3',
  '010-claims.sql': 'f3c1cd917954165a51dbb5e5b09f639f7fb6b7e0952e1ec760512d2dd32bae06',
  '011-team-seen.sql': '7331296b0ba7cc845da71a5cfc7d2b57fc3dd908f9a8fe348a7bd214d09bda65',
  '012-mail-rejections.sql': '1bc8eacbfb4637d833c8b992420c31e9f6669a022a4d6f8ddbf540b77df19fa4',
};

test('no migration that histories contain has changed', () => {
  const files = readdirSync(migrationsFolder).sort();
  expect(Object.fromEntries(files.map((name, n) => [name, tablesAfter(n + 1)]))).toEqual(fingerprints);
});
