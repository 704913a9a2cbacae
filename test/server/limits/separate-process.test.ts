import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { startSeparate } from '../../../server/limits/separate-process.ts';

test('where memory runs out, the kernel ends a separate process before the server', async () => {
  const module = new URL('../../../server/files/examine.ts', import.meta.url);
  const child = await startSeparate(module, { args: ['types'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  expect(readFileSync(`/proc/${child.pid}/oom_score_adj`, 'utf8')).toBe('1000\n');
});
