import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { projectFiles } from '../helpers/project-files.ts';

/** These tests read the sources of the images. `npm run test:soak` builds and starts the images. */
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const within = (folder: string) => (path: string) => path === folder || path.startsWith(`${folder}/`);

/** The files that .dockerignore keeps. The last pattern that matches a file or a parent folder decides. */
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

interface Service {
  build?: { target: string };
}

/** The instructions of each stage by the stage's name. */
const stages = new Map(
  read('Dockerfile')
    .split(/^(?=FROM )/m)
    .map((stage) => [/^FROM \S+ AS (\S+)$/m.exec(stage)?.[1], stage]),
);
/** The instructions of an image and of the stages it copies from. */
const instructions = (target: string): string => {
  const stage = stages.get(target) as string;
  const others = [...stage.matchAll(/^COPY --from=(\S+) /gm)].map(([, name = '']) => stages.get(name));
  return [stage, ...others].join('\n');
};

test.each(['chat', 'site'])('the image %s contains every file that its code loads', (target) => {
  const sources = [...instructions(target).matchAll(/^COPY (?!--from)(.*) \S+$/gm)]
    .flatMap(([, list = '']) => list.split(' '))
    .map((source) => posix.normalize(source).replace(/\/$/, ''));
  expect(sources.filter((source) => !sent.some(within(source)))).toEqual([]);

  const built = [...instructions(target).matchAll(/^COPY --from.* \.\/(\S+)$/gm)].map(([, path]) => path);
  const copied = sent.filter((path) => sources.some((source) => within(source)(path)));
  const loads = /(?:from|import|new URL\()\s*'(\.[^'?]*)(?:\?\w+)?'|__DIR__ \. '(\/[^']*)'/g;
  const missing = copied
    .filter((path) => /\.(ts|tsx|mjs|php)$/.test(path))
    .flatMap((path) =>
      [...read(path).matchAll(loads)].map(([, relative, below]) => [path, relative ?? `.${below}`] as const),
    )
    .filter(([path, other]) => {
      // The server is bundled into `dist/`, so its paths can be relative to `dist/`.
      const found = [path, `dist/${path}`].map((from) =>
        posix.join(posix.dirname(from), other).replace(/\/$/, ''),
      );
      return !found.some((to) => to === '.' || built.includes(to) || copied.some(within(to)));
    });
  expect(missing).toEqual([]);
});

test.each([
  ['chat', 'docker-compose.yml', 'docker-compose.cluster.yml', 'docs/operate/containers.md'],
  ['site', 'docker-compose.yml', 'docker-compose.cluster.yml'],
])('the image %s has the project’s version, an unprivileged user and a health check', (target, ...places) => {
  const stage = stages.get(target) as string;
  expect(/^USER (.*)$/gm.exec(stage)?.[1]).toMatch(/^[1-9]\d*$/);
  expect(stage).toMatch(/^VOLUME \/data$/m);
  expect(stage).toMatch(/^HEALTHCHECK .*\n +CMD \[/m);
  const labels = [...stage.matchAll(/org\.opencontainers\.image\.(\w+)="([^"]+)"/g)];
  const { version, license } = JSON.parse(read('package.json')) as Record<string, string>;
  expect(Object.fromEntries(labels.map(([, name, value]) => [name, value]))).toMatchObject({
    title: expect.any(String),
    description: expect.any(String),
    version,
    licenses: license,
  });
  // `docker build .` builds the last stage.
  expect([...stages.keys()].at(-1)).toBe('chat');
  for (const place of places) {
    if (place.endsWith('.md')) {
      expect(read(place)).toContain(
        '--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges',
      );
      continue;
    }
    const { services } = parse(read(place), { merge: true }) as { services: Record<string, Service> };
    const built = Object.values(services).filter(({ build }) => build?.target === target);
    expect(built).not.toEqual([]);
    for (const service of built)
      expect(service).toMatchObject({
        build: { context: '.' },
        read_only: true,
        tmpfs: ['/tmp'],
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges'],
      });
  }
});
