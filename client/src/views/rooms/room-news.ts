import type { Held, Message } from '../../../../server/wire/events.ts';
import type { Follower, RoomRemoval } from '../../chat/chat-listener.ts';
import { list, object, text } from '../../chat/form.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { rejectedWords } from '../moderation/on-hold.tsx';
import { banWords } from '../moderation/restriction-words.ts';
import type { Speaker } from '../speaker.tsx';

/** The data of a `deleted` push: a moderator deleted a message of this user and gave a reason. */
const deletion = object<{ room: string; reason: string }>({ room: text, reason: text });

/** Key of the private rooms that the user has seen in this browser. Other private rooms are new. */
const SEEN = 'seen';

/**
 * Reports what others do with the user's rooms. A room that another user added this user to stays marked until opened,
 * across visits and tabs. It has no unread messages, because a new member starts with the next message.
 */
export class RoomNews implements Follower {
  readonly #context: Context;
  readonly #speaker: Speaker;

  constructor(context: Context, speaker: Speaker) {
    this.#context = context;
    this.#speaker = speaker;
    this.listed();
  }

  /** Marks the rooms that the user was added to while offline. */
  listed(): void {
    const { chat } = this.#context;
    const seen = chat.store?.get(SEEN, list(text));
    // On the first visit no room counts as new, because all are.
    if (seen !== undefined && chat.list.whole)
      for (const room of this.#rooms) room.fresh ||= room !== chat.current && !seen.includes(room.id);
    this.#keep();
  }

  added(room: Room): void {
    const { me, current } = this.#context.chat;
    // A new direct room may already contain messages.
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

  /** A message of the user counts as opening the room. */
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

  /** For the open room, a card in its place shows the ban. */
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

  /** If the message is visible, it shows the reason itself. */
  rejected({ room, seq, rejected }: Held): void {
    const { chat, strings, toast } = this.#context;
    const words = rejectedWords(rejected?.reason, strings);
    if (seq === undefined && room === chat.current?.id) this.#speaker.alert(words);
    else toast(words, 'bad');
  }

  pushed(name: string, data: unknown): void {
    if (name !== 'deleted' || !deletion(data)) return;
    const { reason } = data;
    const summary = this.#context.chat.rooms.get(data.room)?.summary;
    if (summary === undefined) return;
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

  /** Stores the seen rooms once all rooms are listed. A missing room would become new again. */
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

/** Excludes rooms that the user owns. Public rooms are joined by choice, and a direct room comes with a message. */
const mayBeNews = ({ summary: { kind, member, role } }: Room) =>
  kind === 'private' && member && role !== 'owner';
