import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const gigabyte = 1024 ** 3;

/** The bytes that a separate process allows itself. */
function maxMemory(path: string): number {
  const [, factors = ''] = /^const maxMemory = ([\d *]+);$/m.exec(read(path)) ?? [];
  return factors.split('*').reduce((product, factor) => product * Number(factor), 1);
}

const service = read('deploy/debian/php-session-chat.service');
const chart = parse(read('deploy/helm/values.yaml')) as { resources: { limits: { memory: string } } };

test.each([
  ['the service', /^MemoryMax=(\d+)G$/m.exec(service)?.[1]],
  ['the chart', /^(\d+)Gi$/.exec(chart.resources.limits.memory)?.[1]],
])('%s leaves memory to the server beside the largest picture and the fetched pages', (_, limit) => {
  const separate = maxMemory('server/files/examine.ts') + maxMemory('server/previews/fetch.ts');
  expect(separate).toBeGreaterThan(gigabyte);
  expect(Number(limit) * gigabyte - separate).toBeGreaterThanOrEqual(gigabyte / 2);
});

test('the service goes on when the kernel ends a process of a picture', () => {
  expect(service).toMatch(/^OOMPolicy=continue$/m);
});
