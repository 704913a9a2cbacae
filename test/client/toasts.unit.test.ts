import { expect, test } from 'vitest';
import { Strings } from '../../client/src/strings/strings.ts';
import { Toasts } from '../../client/src/views/controls/toasts.tsx';
import { textsIn } from '../../client/strings-plugin.ts';

test('offers a retry only to the user whose action failed', () => {
  const chat = { me: { id: '1', name: 'Alice' } };
  const toasts = new Toasts(chat, new Strings({ lang: 'en', by: textsIn('en') }), () => {});
  const isShown = () => JSON.stringify(toasts.draw()).includes('Not saved.');
  toasts.ready();
  toasts.show('Not saved.', 'bad', { label: 'Try again', run: () => {} });
  toasts.ready();
  expect(isShown()).toBe(true);
  chat.me = { id: '2', name: 'Bob' };
  toasts.ready();
  expect(isShown()).toBe(false);
});

test('keeps Undo, and no other success, when the user continues', () => {
  const toasts = new Toasts({ me: undefined }, new Strings({ lang: 'en', by: textsIn('en') }), () => {});
  const isShown = (text: string) => JSON.stringify(toasts.draw()).includes(text);
  toasts.show('Saved.', 'good');
  toasts.goodNewsIsOld();
  expect(isShown('Saved.')).toBe(false);
  toasts.show('Message deleted', 'good', { label: 'Undo', until: performance.now() + 6000, run: () => {} });
  toasts.goodNewsIsOld();
  expect(isShown('Message deleted')).toBe(true);
  toasts.clear();
});
