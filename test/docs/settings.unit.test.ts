import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readConfig } from '../../server/settings/config.ts';
import { configOf } from '../helpers/config.ts';

/** The rows of docs/settings.md: `| setting | default | form | meaning |`. */
const rows = [
  ...readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8').matchAll(
    /^\| `((?:CHAT|OTEL)_\w+)` \| (?:`([^`]+)`|none) \| [^|]+ \| [^|]+ \|$/gm,
  ),
].map(([, name = '', fallback]) => ({ name, fallback }));

test('docs/settings.md has exactly one row for each setting that the server reads', () => {
  const read = new Set<string>();
  // Fails without a store, but only after reading all settings.
  expect(() => readConfig(new Proxy({}, { get: (_, name) => void read.add(String(name)) }))).toThrow();
  expect(rows.map(({ name }) => name).sort()).toEqual([...read].sort());
});

test.each(rows.filter(({ fallback }) => fallback !== undefined))(
  '$name=$fallback in docs/settings.md is the default',
  ({ name, fallback }) => {
    // Compared as JSON, because the functions of a store are new objects in each configuration.
    expect(JSON.stringify(configOf({ [name]: fallback }))).toBe(JSON.stringify(configOf({})));
  },
);

test('a setting without a default in docs/settings.md is empty in the code', () => {
  const code = ['server/settings/config.ts', 'packages/php-session/src/options.ts']
    .map((file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))
    .join('\n');
  const optionOf = (name: string) => new RegExp(`(\\w+): '${name}'`).exec(code)?.[1] ?? name;
  for (const { name, fallback } of rows) {
    if (fallback === undefined)
      expect(code, name).toMatch(new RegExp(`\\b(${name}|${optionOf(name)}): \\[\\s*''`));
  }
});
