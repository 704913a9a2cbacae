import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { setfaclLines } from '../../server/doctor/account.ts';
import { requireAbsent, writeSettings } from '../../server/init/settings-file.ts';
import { settingsText } from '../../server/init/settings-text.ts';
import { parseSettings } from '../../server/settings/file.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'init-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('writes settings that the server and a shell read alike', () => {
  const values = {
    A: 'file:///s?owner=www-data&x=y',
    B: `it's "$HOME" \`id\` \\ #`,
    C: 'ü 交 ;',
    D: 'sqlite:/var/lib/chat.db',
  };
  const text = settingsText('A title', [{ comment: 'All', settings: { ...values, E: undefined } }]);
  const read = Object.fromEntries([...parseSettings(text, 'f')].map(([name, { value }]) => [name, value]));
  expect(read).toEqual(values);
  const file = join(newFolder(), 'settings');
  writeSettings(file, text, undefined, false);
  const inShell = execFileSync('sh', ['-c', '. "$1"; printf "%s\\n" "$A" "$B" "$C" "$D"', 'sh', file]);
  expect(inShell.toString()).toBe(`${Object.values(values).join('\n')}\n`);
  expect(() => settingsText('', [{ comment: '', settings: { A: 'a\nb' } }])).toThrow(
    /A: the value contains a control/,
  );
});

test('replaces only a regular file or the link itself', () => {
  const folder = newFolder();
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, folder, '/dev/null']) {
    const kind = statSync(path).mode;
    expect(() => requireAbsent(path, true)).toThrow(/is not a file, so it is not replaced/);
    expect(statSync(path).mode).toBe(kind);
  }
  expect(() => writeSettings(pipe, 'A=1\n', undefined, true)).toThrow(/is not a file/);
  expect(statSync(pipe).isFIFO()).toBe(true);
  const other = join(folder, 'other');
  const link = join(folder, 'link');
  const nowhere = join(folder, 'nowhere');
  writeFileSync(other, 'own\n');
  symlinkSync(other, link);
  symlinkSync(join(folder, 'none'), nowhere);
  for (const path of [link, nowhere]) expect(() => requireAbsent(path, false)).toThrow(/already exists/);
  writeSettings(link, 'A=1\n', undefined, true);
  expect([readFileSync(other, 'utf8'), lstatSync(link).isFile()]).toEqual(['own\n', true]);
});

test('prints one shell line for a file name with a line break', () => {
  const name = "/srv/a\n\u001b[2J'b";
  const [line = ''] = setfaclLines({ name: 'chat', uid: 1, gid: 1 }, new Map([[name, 'r']]));
  expect(line).not.toMatch(/\p{Cc}/u);
  const words = execFileSync('bash', ['-c', `setfacl() { printf '%s' "$4"; }; ${line}`]);
  expect(words.toString()).toBe(name);
});
