import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const gigabyte = 1024 ** 3;

/** The memory limit that a separate process sets for itself, in bytes. */
function maxMemory(path: string): number {
  const [, factors = ''] = /^const maxMemory = ([\d *]+);$/m.exec(read(path)) ?? [];
  return factors.split('*').reduce((product, factor) => product * Number(factor), 1);
}

const service = read('deploy/debian/php-session-chat.service');
const chart = parse(read('deploy/helm/values.yaml')) as { resources: { limits: { memory: string } } };

test.each([
  ['the service', /^MemoryMax=(\d+)G$/m.exec(service)?.[1]],
  ['the chart', /^(\d+)Gi$/.exec(chart.resources.limits.memory)?.[1]],
])('%s has enough memory for the server, the largest picture and fetched pages', (_, limit) => {
  const separate = maxMemory('server/files/examine.ts') + maxMemory('server/previews/fetch.ts');
  expect(separate).toBeGreaterThan(gigabyte);
  expect(Number(limit) * gigabyte - separate).toBeGreaterThanOrEqual(gigabyte / 2);
});

test('the service continues when the kernel kills a process that reads a picture', () => {
  expect(service).toMatch(/^OOMPolicy=continue$/m);
});
