import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ConnectionState } from '../../client/src/connection/connection-state.ts';
import { Room } from '../../client/src/store/room.ts';
import { Strings } from '../../client/src/strings/strings.ts';
import { Speaker } from '../../client/src/views/speaker.tsx';
import { textsIn } from '../../client/strings-plugin.ts';
import type { RoomSummary } from '../../server/wire/events.ts';

afterEach(() => vi.useRealTimers());

const chat = { me: { id: '1', name: 'Alice' }, current: undefined };

/** The texts of the rendered output. */
const textsOf = (drawn: unknown): string[] => {
  if (typeof drawn === 'string') return [drawn];
  if (Array.isArray(drawn)) return drawn.flatMap(textsOf);
  const { props } = Object(drawn) as { props?: { children?: unknown } };
  return props === undefined ? [] : textsOf(props.children);
};

const start = () => new Speaker(chat, new Strings({ lang: 'en', by: textsIn('en') }), () => {});

test('announces a lost connection with its cause, even if the cause is known later', () => {
  vi.useFakeTimers();
  const speaker = start();
  const lost = (cause: 'network' | 'many', seconds: number): ConnectionState => {
    const since = performance.now();
    return { kind: 'lost', cause, since, retryAt: since + seconds * 1000, first: false };
  };
  speaker.connection(lost('network', 1));
  vi.advanceTimersByTime(1000);
  speaker.connection(lost('many', 31));
  vi.advanceTimersByTime(1000);
  expect(textsOf(speaker.draw())).toEqual(['The chat is open in too many places. Trying again in 30 s.']);
});

describe('removes an announcement when', () => {
  const bob = { id: '2', name: 'Bob' };
  const named = { user: chat.me, start: 0, length: 6 };
  const roomWith = (summary: Partial<RoomSummary>) => new Room(summary as RoomSummary);
  const room = roomWith({ id: 'talk' });
  const other = roomWith({ id: 'other' });
  const direct = roomWith({ id: 'direct', name: 'Bob', with: bob });

  test.each<[what: string, gone: (speaker: Speaker) => void]>([
    ['its author is blocked', (speaker) => speaker.blocked({ user: '2', blocked: true })],
    ['its author may be erased', (speaker) => speaker.reset(room)],
    ['it is edited or deleted', (speaker) => speaker.outdated(room, 7)],
    ['the user loses its room', (speaker) => speaker.removed(room)],
  ])('%s', (_, gone) => {
    const speaker = start();
    speaker.arrived(room, { user: bob, seq: 7, text: 'hello' });
    speaker.arrived(room, { user: bob, seq: 7, text: '@Alice hello', mentions: [named] });
    const announcements = ['Bob: hello', 'Bob mentioned you: @Alice hello'];
    expect(textsOf(speaker.draw())).toEqual(announcements);
    // Unrelated calls have no effect.
    speaker.blocked({ user: '3', blocked: true });
    speaker.blocked({ user: '2', blocked: false });
    speaker.reset(other);
    speaker.removed(other);
    speaker.outdated(room, 6);
    speaker.outdated(other, 7);
    expect(textsOf(speaker.draw())).toEqual(announcements);
    gone(speaker);
    expect(textsOf(speaker.draw())).toEqual([]);
  });

  test('the peer of a direct room is blocked', () => {
    const speaker = start();
    speaker.elsewhere(direct);
    expect(textsOf(speaker.draw())).toEqual(['New message in Bob']);
    speaker.blocked({ user: '2', blocked: true });
    expect(textsOf(speaker.draw())).toEqual([]);
  });
});
