import { afterEach, describe, expect, test, vi } from 'vitest';
import { aboutPage } from '../../client/src/chat/questions.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('what the team sees of the page', () => {
  const about = (path: string, title = 'Shop', card: string | null = null) => {
    vi.stubGlobal('location', new URL(path, 'https://shop.example'));
    return aboutPage('https://shop.example/chat/', title, card);
  };
  const token = 'q7Zk2LxN9wRt4VbY8cHd3';

  test.each([
    ['a long value', `/a?id=7&PHPSESSID=${token}`, '/a?id=7'],
    ['a WordPress key for a new password, of 20 characters', `/a?key=${token.slice(1)}&id=7`, '/a?id=7'],
    ['a long name without a value', `/a?${token}&id=7`, '/a?id=7'],
    ['a key in the path', `/reset/${token}/form?id=7`, '/reset/?id=7'],
    ['a key in base64url in the path', '/join/Qm9-Zg_k2LxN-wRt4VbY', '/join/'],
    ['a key in hexadecimal digits in the path', '/verify/7/0123456789abcdef0123', '/verify/7/'],
    ['a session ID after the path', `/a;jsessionid=${token.toUpperCase()}`, '/'],
    ['the fragment', `/a#${token}`, '/a'],
  ])('does not have %s', (_, path, page) => {
    expect(about(path)?.page).toBe(page);
  });

  test('has the words of a long path', () => {
    const path = '/rezepte/2026/rote-tomaten-mit-basilikum-und-7-zwiebeln-Teil-2.html';
    expect(about(path.toLowerCase())?.page).toBe(path.toLowerCase());
    expect(about('/donaudampfschifffahrtsgesellschaft/')?.page).toBe('/donaudampfschifffahrtsgesellschaft/');
  });

  test('has a title that the server accepts', () => {
    expect(about('/a', ' Red\u2028\ttoma\u00adtoes \u202eShop\u0085\u200b\ud800 ')?.title).toMatch(
      /^Red tomatoes Shop/,
    );
    expect(about('/a', '\u200b')).toEqual({ page: '/a' });
    expect([...(about('/a', '🍅'.repeat(300))?.title ?? '')]).toHaveLength(200);
  });
});
