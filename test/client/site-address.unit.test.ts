import { afterEach, expect, test, vi } from 'vitest';
import { siteAddress } from '../../client/src/views/people/site-address.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Simulates a page with this URL. */
function inPage(baseURI: string): void {
  vi.stubGlobal('document', { baseURI });
  vi.stubGlobal('location', new URL(baseURI));
}

test.each([
  ['/people/{id}', '7', 'http://site.example/people/7'],
  [
    '/people/{id}?of={id}#{id}',
    'a/b?c#d&e',
    'http://site.example/people/a%2Fb%3Fc%23d%26e?of=a%2Fb%3Fc%23d%26e#a%2Fb%3Fc%23d%26e',
  ],
  ['/people/{id}', '"><img src=x>', 'http://site.example/people/%22%3E%3Cimg%20src%3Dx%3E'],
  ['/people/{id}', '$&{id}', 'http://site.example/people/%24%26%7Bid%7D'],
  ['/people/{id}', 'half \ud800', 'http://site.example/people/half%20%EF%BF%BD'],
  ['/people/{id}/edit', '..', undefined],
  ['/people/{id}/edit', '.', undefined],
  ['/people/{id}', '...', 'http://site.example/people/...'],
  ['https://cdn.example/{id}.png', '7', 'https://cdn.example/7.png'],
  ['https://{id}.cdn.example/', 'evil.example/', undefined],
  ['http://cdn.example/{id}.png', '7', undefined],
  ['http://site.example:8080/{id}.png', '7', 'http://site.example:8080/7.png'],
  ['//cdn.example/{id}.png', '7', undefined],
  ['javascript:alert({id})', '7', undefined],
  ['data:text/html,{id}', '7', undefined],
  ['{id}', 'javascript:alert(1)', 'http://site.example/javascript%3Aalert(1)'],
  ['blob:http://site.example/{id}', '7', undefined],
  ['http://[{id}', '7', undefined],
])('resolves %j for the user %j to %j', (template, id, expected) => {
  inPage('http://site.example/');
  expect(siteAddress(template, id)).toBe(expected);
});

test('rejects an address without TLS on a page with TLS, even on the same host', () => {
  inPage('https://site.example/');
  expect(siteAddress('http://site.example/{id}', '7')).toBeUndefined();
});

test('rejects scripts on a page without an origin', () => {
  inPage('about:srcdoc');
  for (const template of [
    'javascript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'file:///etc/passwd',
  ])
    expect(siteAddress(template, '7')).toBeUndefined();
});
