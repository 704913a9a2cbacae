import type { Held, Message } from '../../../../server/wire/events.ts';
import type { Follower, RoomRemoval } from '../../chat/chat-listener.ts';
import { list, text } from '../../chat/form.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { rejectedWords } from '../messages/unsent.ts';
import { banWords } from '../moderation/restriction-words.ts';
import type { Speaker } from '../speaker.tsx';

/** The private rooms that this user has seen in this browser: what is not among them is new. */
const SEEN = 'seen';

/**
 * Says what others do with the rooms of the user. A room that the user was taken into stays marked until it is opened, over
 * visits and in all tabs: it has nothing unread, since whoever becomes a member begins with the next message.
 */
export class RoomNews implements Follower {
  readonly #context: Context;
  readonly #speaker: Speaker;

  constructor(context: Context, speaker: Speaker) {
    this.#context = context;
    this.#speaker = speaker;
    this.listed();
  }

  /** Marks the rooms that others added the user to while the user was away. */
  listed(): void {
    const { chat } = this.#context;
    const seen = chat.store?.get(SEEN, list(text));
    // At a first visit all is new, and so nothing is.
    if (seen !== undefined && chat.list.whole)
      for (const room of this.#rooms) room.fresh ||= room !== chat.current && !seen.includes(room.id);
    this.#keep();
  }

  added(room: Room): void {
    const { me, current } = this.#context.chat;
    // A direct one comes with what was said in it.
    if (room.unread > 0 && room.summary.last?.user.id !== me?.id) this.#speaker.elsewhere(room);
    if (!mayBeNews(room)) return;
    room.fresh = room !== current;
    this.#keep();
    this.#tell('rooms.added', room, 'good');
  }

  opened(room: Room): void {
    if (!room.fresh) return;
    room.fresh = false;
    this.#keep();
  }

  /** The user has said something there, or forwarded it, without a look at the room. */
  message({ room: id, user }: Message): void {
    const { rooms, me } = this.#context.chat;
    const room = rooms.get(id);
    if (room !== undefined && user.id === me?.id) this.opened(room);
  }

  removed(room: Room, removal: RoomRemoval): void {
    room.fresh = false;
    this.#keep();
    const { reason } = removal;
    if (reason === 'banned') this.#banned(room, removal);
    else if (reason !== 'left')
      this.#tell(reason === 'deleted' ? 'rooms.deleted' : 'rooms.removed', room, 'bad');
  }

  /** In place of the room that was shown, a card says it. */
  #banned(room: Room, removal: RoomRemoval): void {
    const { chat, strings, toast } = this.#context;
    if (room === chat.current) return;
    const { title, end, reason } = banWords(room.summary.name, removal, strings);
    toast(`${title}. ${end} ${reason}`.trim(), 'bad');
  }

  waits(): void {
    this.#speaker.say(this.#context.strings.text('held.waiting'));
  }

  approved(): void {
    this.#speaker.say(this.#context.strings.text('msg.sent'));
  }

  /** The message itself says it where it is shown. */
  rejected({ room, seq, rejected }: Held): void {
    const { chat, strings, toast } = this.#context;
    const words = rejectedWords(rejected?.reason, strings);
    if (seq === undefined && room === chat.current?.id) this.#speaker.alert(words);
    else toast(words, 'bad');
  }

  deleted({ summary }: Room, reason: string): void {
    const { strings, toast } = this.#context;
    toast(strings.text('delete.told', { room: summary.name, reason }), 'bad');
  }

  stored(key: string | null): void {
    const { chat, changed } = this.#context;
    if (chat.store?.owns(key, SEEN) !== true) return;
    const seen = chat.store.get(SEEN, list(text)) ?? [];
    for (const room of this.#rooms) room.fresh &&= !seen.includes(room.id);
    changed();
  }

  get #rooms(): Room[] {
    return [...this.#context.chat.rooms.values()].filter(mayBeNews);
  }

  /** Only when all are listed: rooms that are not known yet would be new again. */
  #keep(): void {
    const { store, list } = this.#context.chat;
    if (list.whole)
      store?.set(
        SEEN,
        this.#rooms.filter(({ fresh }) => !fresh).map(({ id }) => id),
      );
  }

  #tell(text: 'rooms.added' | 'rooms.removed' | 'rooms.deleted', room: Room, kind: 'good' | 'bad'): void {
    const { strings, toast } = this.#context;
    toast(strings.text(text, { room: room.summary.name }), kind);
  }
}

/** Not what he has made himself. A public room he joins by himself, and a direct one comes with a message. */
const mayBeNews = ({ summary: { kind, member, role } }: Room) =>
  kind === 'private' && member && role !== 'owner';
