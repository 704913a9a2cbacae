import type { RoomRemoval } from '../../chat/chat-listener.ts';
import type { Room } from '../../store/room.ts';
import type { Strings } from '../../strings/strings.ts';
import { timeToCome } from './time-to-come.ts';

/** A ban in words: from which room, until when, and why if a reason was given. */
export function banWords({ summary: { name } }: Room, { until, text }: RoomRemoval, strings: Strings) {
  return {
    title: strings.text('ban.you.title', { room: name }),
    end:
      until === undefined
        ? strings.text('ban.you.forever')
        : strings.text('ban.you.until', { when: timeToCome(until, strings) }),
    reason: text === undefined ? '' : strings.text('ban.you.reason', { text }),
  };
}
