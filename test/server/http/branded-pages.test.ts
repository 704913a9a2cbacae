import { expect, test } from 'vitest';
import { brandedPages } from '../../../server/http/branded-pages.ts';
import { readClientFiles, withSiteAddresses } from '../../../server/http/client-files.ts';
import { type Branding, contrast, type Logo } from '../../../server/wire/branding.ts';
import { pngOf } from '../../helpers/logo.ts';

const client = readClientFiles();
const logo: Logo = {
  ...{ path: 'assets/logo-x.png', type: 'image/png', width: 192, height: 192 },
  bytes: pngOf(192),
};
const pageOf = (path: string, branding: Branding, url?: string) => {
  const { brand, files } = brandedPages(branding, client, url);
  const pages = withSiteAddresses(client, { login: '/login' }, brand);
  return { files, html: pages.get(path)?.forms.get('identity')?.body.toString() ?? '' };
};

test('pages do not change without a name, a colour and a logo', () => {
  const { html, files } = pageOf('/', {});
  expect(html).toContain('<title>Chat</title>');
  expect(html).toContain('<php-chat history="hash" login-url="/login"><p');
  expect(files.size).toBe(0);
});

test('pages show the name and the logo', () => {
  const { html } = pageOf('/', { name: 'A & <b>', logo }, 'https://chat.example/x');
  expect(html).toContain('<title>Chat · A &#38; &#60;b&#62;</title>');
  expect(html).toContain('<span slot="logo" class="site"><img src="./assets/logo-x.png" alt=""><bdi>A &#38;');
  expect(html).toContain('<link rel="icon" href="./assets/logo-x.png">');
  expect(html).toContain('<meta property="og:image" content="https://chat.example/x/assets/logo-x.png">');
  expect(html).not.toContain('<b>');
});

test('pages show a wide logo instead of the name', () => {
  const wide = { ...logo, width: 400, height: 100 };
  const { html } = pageOf('/', { name: 'Garden', logo: wide });
  expect(html).toContain(
    '<span slot="logo" class="site"><img src="./assets/logo-x.png" alt="Garden"></span>',
  );
  expect(html).toContain('<title>Chat · Garden</title>');
});

test('moderators’ pages show the logo, and the name in the title', () => {
  const { html } = pageOf('/moderate', { name: 'Garden', logo });
  expect(html).toContain('<title>Moderation · Garden</title>');
  expect(html).toContain('<php-chat-moderate login-url="/login"><span slot="logo"');
  expect(html).not.toContain('<bdi>');
});

test('pages have the colour in a style sheet and in the icon', () => {
  const { html, files } = pageOf('/', { accent: '#ffc107' });
  const served = [...files].map(([path, { forms }]) => [path, forms.get('identity')?.body.toString()]);
  const [icon, sheet] = [/icon.*svg$/, /site.*css$/].map((form) =>
    served.find(([path]) => form.test(path ?? '')),
  );
  expect(icon?.[1]).toContain('fill="#ffc107"');
  expect(icon?.[1]).toContain('stroke="#000000"');
  expect(sheet?.[1]).toContain('--pc-accent: light-dark(#ffc107, #ffc107)');
  for (const path of [icon?.[0], sheet?.[0]]) expect(html).toContain(`href=".${path}"`);
});

test('pages keep an accent that begins like the white of the icon', () => {
  const { files } = pageOf('/', { accent: '#fff200' });
  const icon = [...files.values()].find(({ type }) => type.startsWith('image/svg'));
  expect(`${icon?.forms.get('identity')?.body}`).toContain('fill="#fff200"');
});

test('pages lighten a dark colour in dark mode', () => {
  const { files } = pageOf('/', { accent: '#101030' });
  const sheet = [...files.values()].find(({ type }) => type.startsWith('text/css'));
  const [, dark = ''] = /light-dark\(#101030, (#\w+)\)/.exec(`${sheet?.forms.get('identity')?.body}`) ?? [];
  expect(contrast(dark, '#171920')).toBeGreaterThanOrEqual(3);
});
