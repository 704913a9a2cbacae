import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { init } from '../../server/init/command.ts';
import { givenSettings } from '../../server/settings/file.ts';
import { siteDatabase } from '../helpers/application-site.ts';
import { phpbbSite } from '../helpers/phpbb.ts';

const db = await siteDatabase('sqlite');

/** Creates a board for one test. */
async function board(config: Record<string, string> = {}) {
  const site = await phpbbSite(db);
  onTestFinished(async () => void (await site.remove()));
  const all = {
    server_protocol: 'https://',
    server_name: 'www.example.org',
    script_path: '/forum',
    ...config,
  };
  for (const [name, value] of Object.entries(all)) await site.set(name, value);
  const folder = mkdtempSync(join(tmpdir(), 'init-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return { ...site, settings: join(folder, 'settings') };
}

/** Runs `init` in this process. @returns its exit code and its output */
async function run(...args: string[]) {
  const said: string[] = [];
  const say = (line = '') => void said.push(line);
  const answer = async () => null;
  const code = await init(
    args,
    {},
    { say, problem: say, heading: (text) => say(`\n${text}`), ask: answer, askHidden: answer, close() {} },
  );
  return { code, said: said.join('\n') };
}

test('uses https for a Secure cookie, whatever the server protocol of phpBB is', async () => {
  const { folder, settings } = await board({ server_protocol: 'http://', cookie_secure: '1' });
  const { code, said } = await run(folder, '--settings', settings);
  expect(said).toMatch(/^! The site’s own settings say http:\/\/www\.example\.org\/forum\/, .* at https:/m);
  expect(said).toContain('The chat will be at https://www.example.org/forum/chat/');
  expect(code).toBe(0);
  expect(givenSettings(settings, {}).env).toMatchObject({ CHAT_ORIGINS: 'https://www.example.org' });
});

test('prints the lines of docs/sites/phpbb.md for the footer of all pages', async () => {
  const { folder, settings } = await board();
  const { code, said } = await run(folder, '--settings', settings);
  expect(code).toBe(0);
  const page = readFileSync(new URL('../../docs/sites/phpbb.md', import.meta.url), 'utf8');
  const [, block = ''] = /```twig\n([\s\S]*?)\n```/.exec(page) ?? [];
  expect(said).toContain(block.replaceAll('/chat/', '/forum/chat/').replace(/^/gm, '      '));
  expect(said).toMatch(
    /above <\/body> in styles\/prosilver\/template\/overall_footer\.html[\s\S]*Purge the cache/,
  );
  // phpBB would replace the placeholder.
  expect(said).not.toContain('{return}');
  expect(said).toContain('docs/sites/phpbb.md shows how to keep these lines');
});
