import { expect, test } from 'vitest';
import { RequestError } from '../../client/src/connection/connection-state.ts';
import { Strings } from '../../client/src/strings/strings.ts';
import { refusal } from '../../client/src/views/refusal.ts';
import { textsIn } from '../../client/strings-plugin.ts';

test('names a time after which the server accepts the request', () => {
  const strings = new Strings({ lang: 'en', by: textsIn('en') });
  const pauses = [1, 1000, 1001].map((retryAfterMs) =>
    refusal(new RequestError('rate_limited', { retryAfterMs }), strings),
  );
  expect(pauses.map((text) => /\d+/.exec(text)?.[0])).toEqual(['1', '1', '2']);
});
