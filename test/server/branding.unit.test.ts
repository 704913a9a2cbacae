import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ConfigError } from '../../server/settings/config.ts';
import { contrast, readableOn, textOn } from '../../server/wire/branding.ts';
import { configOf } from '../helpers/config.ts';
import { jpegOf, pngOf } from '../helpers/logo.ts';

const folder = mkdtempSync(join(tmpdir(), 'branding-'));
afterAll(() => rmSync(folder, { recursive: true }));

function logoFile(name: string, bytes: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const accents = ['00', '33', '66', '99', 'cc', 'ff'].flatMap((red, _, all) =>
  all.flatMap((green) => all.map((blue) => `#${red}${green}${blue}`)),
);

describe('the settings', () => {
  test('take a name, a colour and a logo', () => {
    const logo = logoFile('logo.png', pngOf(192));
    const { branding } = configOf({ CHAT_NAME: 'Großer Garten', CHAT_ACCENT: '#A3420B', CHAT_LOGO: logo });
    expect(branding).toMatchObject({ name: 'Großer Garten', accent: '#a3420b', logo: { type: 'image/png' } });
    expect(branding.logo?.path).toMatch(/^assets\/logo-[\w-]{22}\.png$/);
  });

  test('take a short colour and a JPEG file', () => {
    const logo = logoFile('logo.jpg', jpegOf(64, 32));
    expect(configOf({ CHAT_ACCENT: '#Fc0', CHAT_LOGO: logo }).branding).toMatchObject({
      accent: '#ffcc00',
      logo: { type: 'image/jpeg', path: expect.stringMatching(/\.jpg$/) },
    });
  });

  test('are empty by default', () => {
    expect(configOf({}).branding).toEqual({});
  });

  test.each([
    ['CHAT_NAME', 'x'.repeat(61), 'a name of up to 60 visible characters'],
    ['CHAT_NAME', 'Garden\u202eClub', 'a name of up to 60 visible characters'],
    ['CHAT_ACCENT', 'green', 'a colour such as #a3420b'],
    ['CHAT_ACCENT', '#12345', 'a colour such as #a3420b'],
    ['CHAT_ACCENT', '#fff;} body{display:none', 'a colour such as #a3420b'],
    [
      'CHAT_LOGO',
      logoFile('logo.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>'),
      'the path of a PNG or JPEG file (not SVG)',
    ],
    [
      'CHAT_LOGO',
      logoFile('svg.png', '<svg><script>alert(1)</script></svg>'),
      'the path of a PNG or JPEG file (not SVG)',
    ],
    ['CHAT_LOGO', logoFile('large.png', pngOf(192, 192, 64 * 1024 + 1)), 'at most 64 KB'],
    ['CHAT_LOGO', logoFile('tiny.png', pngOf(16)), '32 to 512 pixels'],
    ['CHAT_LOGO', logoFile('wide.png', pngOf(513, 64)), '32 to 512 pixels'],
    ['CHAT_LOGO', logoFile('cut.png', pngOf(192).subarray(0, 20)), 'the path of a PNG or JPEG file'],
    ['CHAT_LOGO', logoFile('cut.jpg', jpegOf(64).subarray(0, 24)), 'the path of a PNG or JPEG file'],
    ['CHAT_LOGO', folder, 'the path of a PNG or JPEG file'],
    ['CHAT_LOGO', '/dev/zero', 'the path of a PNG or JPEG file'],
  ])('reject %s=%s', (name, value, accepted) => {
    expect(problemOf({ [name]: value })).toContain(accepted);
    expect(problemOf({ [name]: value })).toMatch(new RegExp(`^ {2}${name}: `, 'm'));
  });

  test('say why the file of the logo cannot be read', () => {
    const path = join(folder, 'missing.png');
    expect(problemOf({ CHAT_LOGO: path })).toContain(`CHAT_LOGO: "${path}" cannot be read (ENOENT) by`);
  });
});

describe('contrast', () => {
  test('of text on any accent is at least 4.5:1', () => {
    for (const accent of accents)
      expect(contrast(textOn(accent), accent), accent).toBeGreaterThanOrEqual(4.5);
  });

  test.each([
    ['#3f4fb0', '#ffffff'],
    ['#757575', '#ffffff'],
    ['#777777', '#000000'],
    ['#ffc107', '#000000'],
  ])('of text on %s is as in the client: %s', (accent, text) => {
    expect(textOn(accent)).toBe(text);
  });

  test.each(['#ffffff', '#f6f7fa', '#171920'])(
    'of any accent as text on %s is at least 4.5:1',
    (background) => {
      for (const accent of accents)
        expect(contrast(readableOn(background, accent), background), accent).toBeGreaterThanOrEqual(4.5);
    },
  );

  test('does not change a readable colour', () => {
    expect(readableOn('#ffffff', '#a3420b')).toBe('#a3420b');
  });
});

function problemOf(env: NodeJS.ProcessEnv): string {
  try {
    configOf(env);
    return '';
  } catch (error) {
    return (error as ConfigError).message;
  }
}
