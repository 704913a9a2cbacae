import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readConfig } from '../../server/settings/config.ts';

const page = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test.each(['docker-compose.yml', 'docker-compose.cluster.yml'])(
  '%s sets the chat server up with settings that can be used',
  (file) => {
    const lines = page(file).matchAll(/^ +(CHAT_\w+): (.*)$/gm);
    const env = Object.fromEntries(
      [...lines].map(([, name, value = '']) => [name, value.replace(/^\$\{.*/, '')]),
    );
    expect(Object.keys(env)).toContain('CHAT_SESSION_STORE');
    expect(readConfig(env).unknown).toEqual([]);
  },
);

test.each(['docker-compose.cluster.yml', 'scripts/start-cluster.mjs'])(
  'nginx in %s passes requests on as docs/operate.md has it',
  (file) => {
    const directives = (text: string) =>
      [
        ...text.replaceAll('$$', '$').matchAll(/^ *(proxy_(?!pass).*|hash .*|map .*|"?~.*|default .*);?$/gm),
      ].map(([, directive]) => directive);
    const [, advised = ''] = /\n\*\*nginx\*\*([\s\S]*?)\n\*\*HAProxy\*\*/.exec(page('docs/operate.md')) ?? [];
    const [, servers = '', location = ''] = advised.split('```nginx\n');
    expect(directives(page(file))).toEqual(directives(servers + location));
  },
);
