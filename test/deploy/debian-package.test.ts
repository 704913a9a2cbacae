import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a line of code with the script that makes the package. */
const script = (line: string) =>
  execFileSync(process.execPath, ['-e', `import('./scripts/debian-package.mjs').then((its) => ${line})`], {
    cwd: root,
    encoding: 'utf8',
  });

describe('the documents', () => {
  let share: string;
  let program: string;
  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), 'debian-'));
    share = join(folder, 'share');
    program = join(folder, 'program');
    // As in the npm package.
    const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(files).toEqual(
      expect.arrayContaining(['docs/**/*.md', 'docs/*.json', 'php', 'deploy/grafana', 'deploy/prometheus']),
    );
    for (const name of ['README.md', 'CHANGELOG.md', 'LICENSE', 'docs', 'php', 'deploy'])
      cpSync(join(root, name), join(program, name), {
        recursive: true,
        filter: (path) => !/\/(images|helm|debian)$/.test(path),
      });
    script(`its.putDocuments('${program}', '${share}', 'changes')`);
  });
  afterAll(() => rmSync(dirname(share), { recursive: true }));

  test('include the PHP library, the alerts and the dashboard', () => {
    const others = join(share, 'php-session-chat');
    for (const name of [
      'php/autoload.php',
      'php/laravel/composer.json',
      'php/symfony/composer.json',
      'deploy/prometheus/alerts.yml',
      'deploy/grafana/dashboard.json',
      'docs/api.md',
    ]) {
      expect(existsSync(join(others, name)), name).toBe(true);
      expect(existsSync(join(share, 'doc/php-session-chat', name)), name).toBe(true);
    }
    expect(readdirSync(program)).toEqual(['docs']);
  });

  test('link only to files of the package', () => {
    const missing = ['doc/php-session-chat', 'php-session-chat'].flatMap((folder) =>
      readdirSync(join(share, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.md'))
        .flatMap((name) => {
          const file = join(share, folder, name);
          const links = readFileSync(file, 'utf8').matchAll(/\]\((?!#|[a-z]+:)([^)#\s]+)[^)]*\)/g);
          return [...links]
            .filter(([, target = '']) => !existsSync(join(dirname(file), target)))
            .map(([link]) => `${name}: ${link}`);
        }),
    );
    expect(missing).toEqual([]);
    const read = (page: string) => readFileSync(join(share, 'doc/php-session-chat', page), 'utf8');
    expect(read('docs/security.md')).toContain('(test)');
    expect(read('docs/operate/monitor.md')).toContain('](../../deploy/prometheus/alerts.yml)');
  });
});

test('only programs are executable', () => {
  const folder = mkdtempSync(join(tmpdir(), 'debian-'));
  const files = { text: '{}', program: '#!/bin/sh\n', script: '#!/bin/sh\n' };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  for (const name of ['text', 'program']) chmodSync(join(folder, name), 0o777);
  script(`its.setModes('${folder}')`);
  const modes = Object.keys(files).map((name) => (statSync(join(folder, name)).mode & 0o777).toString(8));
  expect(modes).toEqual(['644', '755', '644']);
  rmSync(folder, { recursive: true });
});

test('the checksums list each file once, and not what links lead to', () => {
  const folder = mkdtempSync(join(tmpdir(), 'debian-'));
  mkdirSync(join(folder, 'usr/share'), { recursive: true });
  writeFileSync(join(folder, 'usr/share/page'), 'text');
  symlinkSync('share', join(folder, 'usr/link'));
  script(`its.putControl('${folder}', 'Installed-Size: \${SIZE}', {})`);
  const control = (name: string) => readFileSync(join(folder, 'DEBIAN', name), 'utf8');
  expect(control('md5sums')).toMatch(/^[0-9a-f]{32} {2}usr\/share\/page\n$/);
  expect(control('control')).toBe('Installed-Size: 1');
  rmSync(folder, { recursive: true });
});

describe('the maintainer scripts', () => {
  const scripts = ['postinst', 'prerm', 'postrm'].map((name) => join(root, 'deploy/debian', name));

  test('are valid for the shell', () => {
    for (const path of scripts) execFileSync('sh', ['-n', path]);
  });

  // A machine may forbid it by policy-rc.d, which only deb-systemd-invoke reads.
  test('neither start nor stop services by systemctl', () => {
    const calls = scripts.flatMap((path) => readFileSync(path, 'utf8').match(/^.*\bsystemctl\b.*$/gm) ?? []);
    expect(calls.filter((line) => !line.includes('daemon-reload'))).toEqual([]);
  });
});

describe('the completion', () => {
  let completion: string;
  beforeAll(() => {
    const commands = [
      { name: 'init', text: 'init [--steps] [--settings FILE]\n  --steps  shows the steps again' },
      { name: 'doctor', text: 'doctor --cookie -' },
      { name: 'backup', text: 'backup FILE [--without-files]' },
    ];
    completion = script(`process.stdout.write(its.completion(${JSON.stringify(commands)}))`);
  });

  test.each([
    [['doc'], 'doctor'],
    [['--v'], '--version'],
    [['init', '--st'], '--steps'],
    [['backup', '--wi'], '--without-files'],
    [['backup', '/back'], ''],
    [['none', '--'], ''],
  ])('completes %j to %j', (words, expected) => {
    const lines = `COMP_WORDS=(php-session-chat ${words.join(' ')}); COMP_CWORD=${words.length}
      _php_session_chat; echo "\${COMPREPLY[*]}"`;
    const said = execFileSync('bash', ['-c', `${completion}\n${lines}`], { encoding: 'utf8' });
    expect(said.trim()).toBe(expected);
  });
});
