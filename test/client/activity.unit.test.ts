import { expect, onTestFinished, test, vi } from 'vitest';
import { Activity } from '../../client/src/chat/activity.ts';

/** Returns the language that a page in this language sends with the first activity. */
function sentIn(lang: string): unknown {
  onTestFinished(() => void vi.unstubAllGlobals());
  let press = () => {};
  vi.stubGlobal('addEventListener', (_: string, heard: () => void) => {
    press = heard;
  });
  vi.stubGlobal('document', { hidden: false });
  const request = vi.fn(async (_: string, __: { lang?: string }) => {});
  const chat = { can: { mail: true }, connection: { state: { kind: 'ready' } }, request };
  const host = { checkVisibility: () => true };
  new Activity(chat as never, { lang } as never, host as never, new AbortController().signal);
  press();
  expect(request).toHaveBeenCalledTimes(1);
  return request.mock.calls[0]?.[1].lang;
}

test('sends the language with the first activity if the server accepts its tag', () => {
  const longest = 'zh-Hant-variants';
  expect(longest).toHaveLength(16);
  for (const lang of ['de', 'pt-BR', longest]) expect(sentIn(lang)).toBe(lang);
  for (const lang of ['', 'd', 'de_DE', `${longest}x`, 'de-a-b-c-d']) expect(sentIn(lang)).toBeUndefined();
});
