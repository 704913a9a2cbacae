import { expect, test } from 'vitest';
import { insertRun } from '../../bench/results.ts';

const before = [
  '# Results',
  '## `npm run bench fan-out`',
  'What people say of it.',
  '```text\nold\n\n## no heading\n```',
  'More of that.',
  '## `npm run bench fan`',
  'Words.\n',
].join('\n\n');

test('a run replaces the one before, and the text around it stays', () => {
  expect(insertRun(before, 'fan-out', 'new $& run\n')).toBe(
    before.replace('old\n\n## no heading', () => 'new $& run'),
  );
});

test('the first run comes at the end of its section', () => {
  expect(insertRun(before, 'fan', 'new')).toBe(`${before}\n\`\`\`text\nnew\n\`\`\`\n`);
  const once = insertRun(before, 'fan', 'new');
  expect(insertRun(once, 'fan', 'newer')).toBe(once.replace('new\n', 'newer\n'));
});

test('without a section it gets one', () => {
  expect(insertRun(before, 'idle', 'new')).toBe(
    `${before}\n## \`npm run bench idle\`\n\n\`\`\`text\nnew\n\`\`\`\n`,
  );
});
