import { afterEach, expect, test, vi } from 'vitest';
import type { ConnectionState } from '../../client/src/connection/connection-state.ts';
import all from '../../client/src/strings/strings.json';
import { Strings } from '../../client/src/strings/strings.ts';
import { Speaker } from '../../client/src/views/panels/speaker.tsx';
import { textsIn } from '../../client/strings-plugin.ts';

afterEach(() => vi.useRealTimers());

const chat = { me: { id: '1', name: 'Alice' } };

/** All texts of what was drawn. */
const textsOf = (drawn: unknown): string[] => {
  if (typeof drawn === 'string') return [drawn];
  if (Array.isArray(drawn)) return drawn.flatMap(textsOf);
  const { props } = Object(drawn) as { props?: { children?: unknown } };
  return props === undefined ? [] : textsOf(props.children);
};

test('a lost connection is said with its cause, though that is found out later', () => {
  vi.useFakeTimers();
  const speaker = new Speaker(chat, new Strings({ lang: 'en', by: textsIn('en', all) }), () => {});
  const lost = (cause: 'network' | 'many', seconds: number): ConnectionState => {
    const since = Date.now();
    return { kind: 'lost', cause, since, retryAt: since + seconds * 1000, first: false };
  };
  speaker.connection(lost('network', 1));
  vi.advanceTimersByTime(1000);
  speaker.connection(lost('many', 31));
  vi.advanceTimersByTime(1000);
  expect(textsOf(speaker.draw())).toEqual(['The chat is open in too many places. Trying again in 30 s.']);
});
