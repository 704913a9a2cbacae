import { afterEach, expect, test, vi } from 'vitest';
import { forgetToken, takeAsked } from '../../client/src/element/asked.ts';
import { memoryStorage } from './memory-storage.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

test('keeps the token of an invite link through a login, but not for the chat of another server', () => {
  const [server, other] = ['https://site.example/a/', 'https://site.example/b/'];
  const host = { getAttribute: () => 'hash' } as unknown as Element;
  const at = (address: string) => vi.stubGlobal('location', new URL(address));
  vi.stubGlobal('sessionStorage', memoryStorage());
  vi.stubGlobal('history', {
    state: null,
    replaceState: (_: unknown, __: string, to: string) => at(new URL(to, server).href),
  });
  at(`${server}#join=abcdefghijklmnopqrstuvwxyz012345`);
  const invite = takeAsked(host, server);
  expect(invite).toMatchObject({ token: 'abcdefghijklmnopqrstuvwxyz012345' });
  expect(location.hash).toBe('');
  at(other);
  expect(takeAsked(host, other)).toBeUndefined();
  forgetToken(other);
  at(server);
  expect(takeAsked(host, server)).toEqual(invite);
  forgetToken(server);
  expect(takeAsked(host, server)).toBeUndefined();
});
