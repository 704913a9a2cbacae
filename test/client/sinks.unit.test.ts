import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const folder = new URL('../../client/src', import.meta.url).pathname;
/** Everything that makes elements or code from text. */
const sinks =
  /\b(innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|setHTML\w*|parseHTML\w*|srcdoc|DOMParser|createContextualFragment|document\.write\w*|eval|new Function|javascript:)\b/;

test('nothing in the client makes HTML or code of text', () => {
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .flatMap((name) => {
      const code = readFileSync(join(folder, name), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
      const sink = sinks.exec(code)?.[0];
      return sink === undefined ? [] : [`${name}: ${sink}`];
    });
  expect(found).toEqual([]);
});
