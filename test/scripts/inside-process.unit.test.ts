import { execFile, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { takeFailures } from '../helpers/inside-process.ts';

const root = new URL('../..', import.meta.url);
const cache = new URL('node_modules/.cache/', root);
mkdirSync(cache, { recursive: true });

test.each<[string, () => unknown]>([
  ['connect to a server', () => connect(80, '127.0.0.1')],
  ['connect to a server', () => fetch('http://127.0.0.1/')],
  ['start a server', () => createServer().listen(0)],
  ['use UDP', () => createSocket('udp4').bind()],
  ['start a child process', () => execFile('true')],
  ['start the child process true', () => spawnSync('true')],
  ['open the built file node_modules/.cache', () => readdirSync(cache)],
  ['open /', () => readdir('/')],
])('a unit test that tries to %s fails, even if an error is caught', async (what, open) => {
  await Promise.resolve()
    .then(open)
    .catch(() => {});
  expect(takeFailures().map(({ message }) => message)).toEqual([
    expect.stringContaining(`A unit test must not ${what}`),
  ]);
});

test('a unit test may read the sources', () => {
  expect(readFileSync(new URL('package.json', root), 'utf8')).not.toBe('');
  expect(takeFailures()).toEqual([]);
});
