import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const client = 'android/chat-client/src/main/java/io/github/phpsessionchat';
const code = readdirSync(join(root, client))
  .map((name) => read(`${client}/${name}`))
  .join('\n');

const namesIn = (text: string) =>
  [...text.matchAll(/`([a-z]+:[a-z]+|mention|push)`/g)].map(([, name = '']) => name);

/** The requests and events in the tables of docs/protocol.md. */
const names = [...read('docs/protocol.md').matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) =>
  namesIn(cell),
);
const rows = [...read('android/README.md').matchAll(/^\|[^|]*\| (`[^|]+) \| (yes|no) \|.*\|$/gm)];

test('android/README.md lists each request and event once', () => {
  expect(names.length).toBeGreaterThan(80);
  expect(rows.flatMap(([, cell = '']) => namesIn(cell)).sort()).toEqual(names.sort());
});

test('android/README.md says which requests and events the Java client knows', () => {
  const known = (isKnown: string) =>
    rows.flatMap(([, cell = '', answer]) => (answer === isKnown ? namesIn(cell) : [])).sort();
  expect(known('yes')).toEqual(names.filter((name) => code.includes(`"${name}"`)).sort());
});
