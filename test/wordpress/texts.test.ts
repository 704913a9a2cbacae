import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { translationsOf } from '../../scripts/missing-texts.ts';
import { toMo } from '../../scripts/wordpress-plugin.ts';
import { startWordPress, type WordPressApp } from '../helpers/wordpress-app.ts';

let wordpress: WordPressApp;
beforeAll(async () => {
  wordpress = await startWordPress();
  await wordpress.installPlugin();
  // WordPress switches only to languages of its own that are installed.
  const languages = join(wordpress.folder, 'wp-content/languages');
  mkdirSync(languages);
  for (const locale of ['de_AT', 'zh_TW', 'ar'])
    writeFileSync(join(languages, `${locale}.mo`), toMo(new Map([['', `Language: ${locale}\n`]])));
});
afterAll(() => wordpress.remove());

test('visitors and the editor get the language of the site', () => {
  wordpress.run(`update_option('WPLANG', 'ar'); update_site_option('php_session_chat_server', '/chat/');`);
  const html = wordpress.run(`echo do_shortcode('[php_chat]');`);
  expect(html).toContain('سجّل الدخول لاستخدام الدردشة');
  expect(html).toContain('<noscript><p>تحتاج الدردشة إلى JavaScript.</p></noscript>');
  const block = `echo WP_Block_Type_Registry::get_instance()->get_registered('php-session-chat/chat')->title;`;
  expect(wordpress.run(block)).toBe('الدردشة');
  wordpress.run(`update_option('WPLANG', '');`);
});

test.each([
  ['de_AT', 'Ja', '2 ungelesene Nachrichten'],
  ['ar', 'نعم', 'رسالتان غير مقروءتين'],
  // The texts in Chinese have simplified characters.
  ['zh_TW', 'Yes', '2 unread messages'],
])('mails in %s have the texts of its language, then the site has its own again', (locale, yes, unread) => {
  const code = `$yes = fn () => __('Yes', 'php-session-chat'); switch_to_locale('${locale}');
    echo json_encode([$yes(), sprintf(_n('%1$d unread message at %2$s', '%1$d unread messages at %2$s', 2, 'php-session-chat'), 2, 'Club'), restore_previous_locale() ? $yes() : '']);`;
  expect(JSON.parse(wordpress.run(code))).toEqual([yes, expect.stringContaining(unread), 'Yes']);
});

test('texts that a language lacks are in English, also in plural forms', () => {
  const lacking = [...translationsOf('ar')].filter(([text]) => !/^Yes$|unread message/.test(text));
  const file = join(wordpress.folder, 'wp-content/plugins/php-session-chat/languages/php-session-chat-ar.mo');
  const complete = readFileSync(file);
  writeFileSync(file, toMo(new Map(lacking)));
  onTestFinished(() => writeFileSync(file, complete));
  const code = `switch_to_locale('ar');
    $unread = fn (int $n) => sprintf(_n('%1$d unread message at %2$s', '%1$d unread messages at %2$s', $n, 'php-session-chat'), $n, 'Club');
    echo json_encode([__('Yes', 'php-session-chat'), __('No', 'php-session-chat'), ...array_map($unread, [1, 2])]);`;
  expect(JSON.parse(wordpress.run(code))).toEqual([
    'Yes',
    'لا',
    '1 unread message at Club',
    '2 unread messages at Club',
  ]);
});

test('a mail names the sender of a direct message only if WordPress has a user with exactly this ID', () => {
  const named = (peer: string) =>
    wordpress.run(
      `echo PhpSessionChat\\WordPress\\name_of_room(['kind' => 'direct', 'userText' => [], 'peer' => '${peer}']);`,
    );
  expect(['1', '1x', '99', ''].map(named)).toEqual([
    `Direct message from ${wordpress.admin.user}`,
    ...['Direct message', 'Direct message', 'Direct message'],
  ]);
});

test('a mail breaks up addresses in the name of a room only if users chose the name', () => {
  const named = (userText: string) =>
    wordpress.run(
      `echo PhpSessionChat\\WordPress\\name_of_room(['kind' => 'private', 'name' => 'a.example', 'userText' => ${userText}]);`,
    );
  expect([`['name']`, '[]'].map(named)).toEqual(['a. example', 'a.example']);
});

test('the export of a user’s data names rooms, and shows the ID of a room without a name', () => {
  const archive = join(wordpress.folder, 'export.zip');
  const entries = {
    'about.json': { rooms: [{ id: 'r-1', name: 'Garden' }, { id: 'lobby' }] },
    'messages.jsonl': { room: 'r-1', seq: 3, text: 'hello' },
    'pins.jsonl': { room: 'lobby', seq: 4 },
  };
  const files = Object.entries(entries).map(([name, entry]) => [name, strToU8(JSON.stringify(entry))]);
  writeFileSync(archive, zipSync(Object.fromEntries(files)));
  const items: { group_id: string; data: { name: string; value: string }[] }[] = JSON.parse(
    wordpress.run(`echo json_encode(PhpSessionChat\\WordPress\\items_in('${archive}'));`),
  );
  const room = (of: string) =>
    items
      .find(({ group_id }) => group_id === `php-session-chat-${of}.jsonl`)
      ?.data.find(({ name }) => name === 'Room')?.value;
  expect([room('messages'), room('pins')]).toEqual(['Garden', 'lobby']);
});
