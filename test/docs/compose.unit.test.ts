import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../server/settings/config.ts';
import { advisedForServers } from '../helpers/nginx.ts';

const page = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const files = ['docker-compose.yml', 'docker-compose.cluster.yml', 'deploy/compose/docker-compose.yml'];

test.each(files)('%s limits the memory of each service, and does not mount devices', (file) => {
  // The parser merges `<<` anchors only with this option.
  const { services } = parse(page(file), { merge: true }) as {
    services: Record<string, { mem_limit?: string; volumes?: string[] }>;
  };
  for (const [name, { mem_limit, volumes = [] }] of Object.entries(services)) {
    expect([name, mem_limit]).toEqual([name, expect.stringMatching(/^\d+[mg]$/)]);
    expect(volumes.filter((volume) => volume.includes('/dev/'))).toEqual([]);
  }
});

test('nginx in deploy/compose uses the proxy settings from docs/install.md', () => {
  const directives = (text: string) =>
    [...text.replaceAll('$$', '$').matchAll(/^ *(proxy_(?!pass).*|client_max_body_size .*|map .*);?$/gm)].map(
      ([, directive]) => directive,
    );
  const [, advised = ''] =
    /\*\*nginx\*\*, in the([\s\S]*?)\*\*Apache\*\*/.exec(page('docs/install.md')) ?? [];
  expect(advised).not.toBe('');
  expect(directives(page('deploy/compose/docker-compose.yml')).sort()).toEqual(directives(advised).sort());
});

test('nginx in deploy/compose does not serve hidden files such as .env', () => {
  const [, pattern = '$'] =
    /location ~ (\S+) \{\s*return 404;/.exec(page('deploy/compose/docker-compose.yml')) ?? [];
  const paths = ['/.env', '/.git/config', '/a/.htpasswd', '/.well-known/security.txt', '/a.b/index.php'];
  expect(paths.filter((path) => new RegExp(pattern).test(path))).toEqual(paths.slice(0, 3));
});

test.each(files)('%s contains only valid settings of the chat server', (file) => {
  const lines = page(file).matchAll(/^ +(CHAT_\w+): (.*)$/gm);
  const env = Object.fromEntries(
    [...lines].map(([, name, value = '']) => [name, value.replace(/^\$\{.*/, '')]),
  );
  expect(Object.keys(env)).toContain('CHAT_SESSION_STORE');
  expect(readConfig(env).unknown).toEqual([]);
});

test.each(['docker-compose.cluster.yml', 'scripts/start-cluster.mjs'])(
  'nginx in %s uses the proxy settings from docs/operate/several-servers.md',
  (file) => {
    const directives = (text: string) =>
      [
        ...text.replaceAll('$$', '$').matchAll(/^ *(proxy_(?!pass).*|hash .*|map .*|"?~.*|default .*);?$/gm),
      ].map(([, directive]) => directive);
    const { http, location } = advisedForServers();
    expect(directives(page(file)).sort()).toEqual(directives(http + location).sort());
  },
);
