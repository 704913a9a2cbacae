import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const megabyte = 1024 ** 2;

/** The sum of the memory limits that the processes of a program set for themselves, in bytes. */
function maxMemory(path: string): number {
  const limits = [...read(path).matchAll(/\bmaxMemory(?: =|:) ([\d *]+)/g)].map(
    ([, factors = '']) => factors,
  );
  return limits
    .map((factors) => factors.split('*').reduce((product, factor) => product * Number(factor), 1))
    .reduce((sum, limit) => sum + limit, 0);
}

const service = read('deploy/debian/php-session-chat.service');
const chart = parse(read('deploy/helm/values.yaml')) as { resources: { limits: { memory: string } } };

test.each([
  ['the service', /^MemoryMax=(\d+)M$/m.exec(service)?.[1]],
  ['the chart', /^(\d+)Mi$/.exec(chart.resources.limits.memory)?.[1]],
])('%s has enough memory for the server, the largest picture, a small one and fetched pages', (_, limit) => {
  const separate = maxMemory('server/files/examine.ts') + maxMemory('server/previews/fetch.ts');
  expect(separate).toBeGreaterThan(1456 * megabyte);
  expect(Number(limit) * megabyte - separate).toBeGreaterThanOrEqual(512 * megabyte);
});

test('the service continues when the kernel kills a process that reads a picture', () => {
  expect(service).toMatch(/^OOMPolicy=continue$/m);
});
