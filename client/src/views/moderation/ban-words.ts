import type { RoomRemoval } from '../../chat/chat-listener.ts';
import type { Strings } from '../../strings/strings.ts';
import { timeToCome } from './time-to-come.ts';

/** A ban in words: from which room if its name is known, until when, and why if a reason was given. */
export function banWords(room: string | undefined, { until, text }: RoomRemoval, strings: Strings) {
  return {
    title: room === undefined ? strings.text('ban.you.here') : strings.text('ban.you.title', { room }),
    end:
      until === undefined
        ? strings.text('ban.you.forever')
        : strings.text('ban.you.until', { when: timeToCome(until, strings) }),
    reason: text === undefined ? '' : strings.text('ban.you.reason', { text }),
  };
}
