import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { pageOf } from '../../client/guide-plugin.ts';

const source = readFileSync(new URL('../../docs/element.md', import.meta.url), 'utf8');
const page = pageOf(source, './guide.css');
const unescaped = (html: string) => html.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
const all = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = '']) => found);

test('the guide contains every heading, row and code block of docs/element.md', () => {
  const prose = source.replace(/^```.*?^```$/gms, '');
  const bare = (text: string) => unescaped(text.replace(/<[^>]+>/g, ''));
  expect(all(page, /<h[12] id="[^"]+">(.*)<\/h[12]>/g).map(bare)).toEqual(
    all(prose, /^#+ (.*)$/gm).map((heading) => heading.replaceAll('`', '')),
  );
  expect(all(page, /<tr>(<td>)/g)).toHaveLength(all(prose, /^(\| `)/gm).length);
  expect(all(page, /<pre tabindex="0"><code>(.*?)<\/code>/gs).map(unescaped)).toEqual(
    all(source, /^```\w*\n(.*?)\n```$/gms),
  );
});

test('the guide contains no leftover markup, and its internal links lead to existing headings', () => {
  const text = page.replace(/<(code|pre|title)[ >].*?<\/\1>/gs, '');
  expect(text).not.toMatch(/[`*|]|\]\(/);
  const ids = all(page, / id="([^"]+)"/g);
  expect(new Set(ids).size).toBe(ids.length);
  for (const address of all(page, / href="([^"]+)"/g))
    expect([...ids.map((id) => `#${id}`), './guide.css']).toSatisfy(
      (known: string[]) => known.includes(address) || address.startsWith('https://'),
    );
});
