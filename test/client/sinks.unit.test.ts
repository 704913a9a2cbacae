import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Matches code that creates elements or code from text. */
const sinks =
  /\b(innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|setHTML\w*|parseHTML\w*|srcdoc|DOMParser|createContextualFragment|document\.write\w*|eval|new Function|javascript:)\b/;
/** Matches native functions that MooTools or Prototype.js replaces with incompatible ones. */
const replaced = /\bArray\.from\b|\bof .*\.entries\(\)|\.scrollTo\(/;

/** Finds the first match in each file of these folders. */
function found(what: RegExp, ...folders: string[]): string[] {
  return folders.flatMap((name) => {
    const folder = fileURLToPath(new URL(`../../${name}`, import.meta.url));
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.tsx?$/.test(file))
      .flatMap((file) => {
        const code = readFileSync(join(folder, file), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
        const first = what.exec(code)?.[0];
        return first === undefined ? [] : [`${name}/${file}: ${first}`];
      });
  });
}

test('the client does not create HTML or code from text', () => {
  expect(found(sinks, 'client/src')).toEqual([]);
});

test('the client does not call functions that a library of the page replaces', () => {
  expect(found(replaced, 'client/src', 'server/wire')).toEqual([]);
});

test('only one module of the client reads client rectangles, whose pixels differ from CSS pixels on a zoomed page', () => {
  const measure = /\.getBoundingClientRect\b|\bboundingClientRect\b/;
  expect(found(measure, 'client/src')).toEqual(['client/src/views/box.ts: .getBoundingClientRect']);
});
