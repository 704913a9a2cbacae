import { afterEach, expect, test, vi } from 'vitest';
import { memoryStorage } from '../../client/src/chat/storage.ts';
import { forgetToken, takeAsked } from '../../client/src/element/asked.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

test('the token of an invite link that was opened before a login is for the chat of that server alone', () => {
  const [one, other] = ['https://site.example/a/', 'https://site.example/b/'];
  const host = { getAttribute: () => 'hash' } as unknown as Element;
  const at = (address: string) => vi.stubGlobal('location', new URL(address));
  vi.stubGlobal('sessionStorage', memoryStorage());
  vi.stubGlobal('history', {
    state: null,
    replaceState: (_: unknown, __: string, to: string) => at(new URL(to, one).href),
  });
  at(`${one}#join=abcdefghijklmnopqrstuvwxyz012345`);
  const asked = takeAsked(host, one);
  expect(asked).toMatchObject({ token: 'abcdefghijklmnopqrstuvwxyz012345' });
  expect(location.hash).toBe('');
  at(other);
  expect(takeAsked(host, other)).toBeUndefined();
  forgetToken(other);
  at(one);
  expect(takeAsked(host, one)).toEqual(asked);
  forgetToken(one);
  expect(takeAsked(host, one)).toBeUndefined();
});
