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

test('docs/settings.md names the settings that the server reads, each once, and no others', () => {
  const read = new Set<string>();
  // They cannot be used without a store, but all have been read by then.
  expect(() => readConfig(new Proxy({}, { get: (_, name) => void read.add(String(name)) }))).toThrow();
  expect(rows.map(({ name }) => name).sort()).toEqual([...read].sort());
});

test.each(rows.filter(({ fallback }) => fallback !== undefined))(
  '$name=$fallback, the default of docs/settings.md, changes nothing',
  ({ name, fallback }) => {
    // As JSON, because a store has functions, which are new objects in each configuration.
    expect(JSON.stringify(configOf({ [name]: fallback }))).toBe(JSON.stringify(configOf({})));
  },
);

test('a setting that docs/settings.md says has no default is empty without one', () => {
  const code = ['server/settings/config.ts', 'packages/php-session/src/options.ts']
    .map((file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))
    .join('\n');
  const optionOf = (name: string) => new RegExp(`(\\w+): '${name}'`).exec(code)?.[1] ?? name;
  for (const { name, fallback } of rows) {
    if (fallback === undefined)
      expect(code, name).toMatch(new RegExp(`\\b(${name}|${optionOf(name)}): \\[\\s*''`));
  }
});
