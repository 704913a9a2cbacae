import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { freePort } from '../../scripts/ports.mjs';

test('a free port is returned once, and the system gives it to no outgoing connection', async () => {
  const ports = await Promise.all(Array.from({ length: 100 }, freePort));
  expect(new Set(ports).size).toBe(ports.length);
  const [first = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
  expect(Math.max(...ports)).toBeLessThan(first);
});
