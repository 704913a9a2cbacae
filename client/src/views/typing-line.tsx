import type { Chat } from '../chat/chat.ts';
import type { Room } from '../store/room.ts';
import type { Strings } from '../strings/strings.ts';

/** Who is typing: one name, two, else several people. */
export function TypingLine({ chat, room, strings }: { chat: Chat; room: Room; strings: Strings }) {
  const [first, second, ...more] = chat.typing.in(room.id).map(({ name }) => name);
  if (first === undefined) return null;
  const words =
    second === undefined
      ? strings.text('typing.one', { a: first })
      : more.length === 0
        ? strings.text('typing.two', { a: first, b: second })
        : strings.text('typing.many');
  return (
    <span class="typing">
      <span class="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      {words}
    </span>
  );
}
