import type { Message, Pin } from '../../../../server/wire/events.ts';
import { RequestError } from '../../connection/connection-state.ts';
import { preview, type Room } from '../../store/room.ts';
import { lastWords } from '../../text/words.ts';
import type { Context } from '../context.ts';
import { refusal } from '../refusal.ts';

/** Maximum number of pinned messages in a room (docs/protocol.md). */
const MOST = 50;

/** The text of a pinned message, in one line. */
export function pinnedWords(pin: Pin, { strings, instead }: Context): string {
  return instead(pin) ?? (pin.deletedAt === undefined ? lastWords(pin, strings) : strings.text('pin.gone'));
}

/** Pins or unpins a message. The change is shown immediately, and reverted if the request fails. */
export function setPinned(room: Room, message: Message | Pin, pinned: boolean, context: Context): void {
  const { chat, strings, toast } = context;
  if (chat.me === undefined) return;
  const { seq } = message;
  const now = { by: chat.me, at: chat.clock.now, after: room.summary.lastSeq };
  const before = room.pins.find((pin) => pin.seq === seq);
  room.pin(
    seq,
    pinned ? { ...(before ?? ('by' in message ? message : preview(message))), ...now } : undefined,
  );
  const done = () => {
    if (pinned) return;
    toast(strings.text('pin.removed'), 'good', {
      label: 'common.undo',
      run: () => setPinned(room, message, true, context),
    });
  };
  const refused = (error: unknown) => {
    room.pin(seq, before);
    toast(whyNot(error, context), 'bad');
  };
  chat.request(pinned ? 'message:pin' : 'message:unpin', { room: room.id, seq }).then(done, refused);
  context.changed();
}

function whyNot(error: unknown, { strings }: Context): string {
  const code = error instanceof RequestError ? error.code : undefined;
  if (code === 'limit_reached') return strings.text('pin.full', { n: MOST });
  if (code === 'forbidden') return strings.text('refused.pin');
  return refusal(error, strings);
}
