import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { projectFiles } from '../helpers/project-files.ts';

/** The sources of the images; `npm run test:soak` builds and starts them. */
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const within = (folder: string) => (path: string) => path === folder || path.startsWith(`${folder}/`);

/** The project's files that .dockerignore keeps: the last pattern that matches a file or a folder above it decides. */
const sent = projectFiles().filter((path) => {
  const patterns = read('.dockerignore').match(/^[^#\n].*/gm) ?? [];
  const last = patterns.findLast((pattern) => {
    const parts = { '**/': '(.*/)?', '*': '[^/]*', '.': '\\.' };
    const form = pattern
      .replace(/^!/, '')
      .replace(/\*\*\/|[*.]/g, (part) => parts[part as keyof typeof parts]);
    return new RegExp(`^${form}(/|$)`).test(path);
  });
  return last === undefined || last.startsWith('!');
});

test.each(['server/Dockerfile', 'php-app/Dockerfile'])(
  '%s finds all that it copies, and the copied files all that they load',
  (dockerfile) => {
    const sources = [...read(dockerfile).matchAll(/^COPY (?!--from)(.*) \S+$/gm)]
      .flatMap(([, list = '']) => list.split(' '))
      .map((source) => posix.normalize(source).replace(/\/$/, ''));
    expect(sources.filter((source) => !sent.some(within(source)))).toEqual([]);

    const built = [...read(dockerfile).matchAll(/^COPY --from.* \.\/(\S+)$/gm)].map(([, path]) => path);
    const copied = sent.filter((path) => sources.some((source) => within(source)(path)));
    const loads = /(?:from|import|new URL\()\s*'(\.[^'?]*)(?:\?\w+)?'|__DIR__ \. '(\/[^']*)'/g;
    const missing = copied
      .filter((path) => /\.(ts|tsx|mjs|php)$/.test(path))
      .flatMap((path) =>
        [...read(path).matchAll(loads)].map(
          ([, relative, below]) => [path, relative ?? `.${below}`] as const,
        ),
      )
      .filter(([path, other]) => {
        const loaded = posix.join(posix.dirname(path), other).replace(/\/$/, '');
        return loaded !== '.' && !built.includes(loaded) && !copied.some(within(loaded));
      });
    expect(missing).toEqual([]);
  },
);
