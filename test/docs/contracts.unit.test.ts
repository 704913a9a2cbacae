import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { asyncApi, openApi } from '../../scripts/contracts.ts';
import { routes } from '../../server/http/api.ts';
import { connectErrors, httpErrors, requestErrors } from '../../server/wire/errors.ts';
import { endReasons, events, removalReasons, requests, roomName, topic } from '../../server/wire/events.ts';
import { line } from '../../server/wire/values.ts';
import { soak } from '../guarantees/size.ts';

const read = (file: string) => readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8');
const page = read('protocol.md');

test.each([
  ['asyncapi.json', asyncApi],
  ['openapi.json', openApi],
])('docs/%s equals the output of `npm run contracts`', (file, make) => {
  expect(JSON.parse(read(file))).toEqual(JSON.parse(JSON.stringify(make())));
});

/** The names in the first column of the tables under a heading. */
const firstColumn = (heading: string) => {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return [...section.matchAll(/^\| ((?:`[^`]+`(?:, )?)+)/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
};

test('docs/protocol.md has exactly one row per request', () => {
  expect(firstColumn('Requests').sort()).toEqual(Object.keys(requests).sort());
});

test('docs/protocol.md has a row for each server event except the two session events', () => {
  const described = Object.keys(events).filter((name) => !/^session:(ready|ended)$/.test(name));
  expect(firstColumn('Events').sort()).toEqual(described.sort());
  for (const name of ['session:ready', 'session:ended']) expect(page).toContain(`\`${name}\``);
});

test.each([
  ['a refused connection', Object.keys(connectErrors)],
  ['a request', Object.keys(requestErrors)],
  ['HTTP', Object.keys(httpErrors)],
  ['the end of a session', [...endReasons]],
  ['the end of a membership', [...removalReasons]],
])('docs/protocol.md names every code for %s', (_, codes) => {
  expect(codes.filter((code) => !page.includes(code))).toEqual([]);
});

test('docs/api.md shows every HTTP call of the PHP application', () => {
  const api = read('api.md');
  const missing = routes.filter(({ method, template }) => {
    const path = template.replace(/\{\w+\}/g, '[\\w-]+');
    return !new RegExp(`\\b${method} ${path}(?![/\\w])`).test(api);
  });
  expect(missing.map(({ method, template }) => `${method} ${template}`)).toEqual([]);
});

test('docs/openapi.json has one server, and a summary and a unique ID for each operation', () => {
  const { servers, paths } = openApi() as {
    servers: unknown[];
    paths: Record<string, Record<string, { operationId: string; summary: string }>>;
  };
  expect(servers).toHaveLength(1);
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  expect(operations.every(({ summary }) => /^[A-Z].{5,}$/.test(summary))).toBe(true);
  const names = operations.map(({ operationId }) => operationId);
  expect(names).toEqual(
    expect.arrayContaining(['postRoomMessages', 'patchRoomMembers', 'getUser', 'getAudit']),
  );
  expect(new Set(names).size).toBe(names.length);
});

test('patterns of the contracts allow exactly the characters that the server allows', () => {
  for (const schema of [line(80), topic, roomName]) {
    const { pattern } = z.toJSONSchema(schema);
    const allowed = new RegExp(pattern ?? '', 'u');
    const different: string[] = [];
    for (let code = 0; code <= 0x10ffff; code++) {
      // A lone surrogate, which JSON should not contain.
      if (code >= 0xd800 && code <= 0xdfff) continue;
      // Almost all of the characters between have one meaning: unassigned or private.
      if (!soak && code > 0x32000 && (code < 0xdfff0 || code > 0xe1000) && code % 0x1000 < 0xff0) continue;
      // Next to a visible character, because the contracts do not describe which characters are invisible.
      const text = `a${String.fromCodePoint(code)}`;
      if (allowed.test(text) !== schema.safeParse(text).success) different.push(code.toString(16));
    }
    expect(different).toEqual([]);
  }
});
