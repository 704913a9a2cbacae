import type { EventPayload, Message } from '../../../server/wire/events.ts';
import type { Room } from '../store/room.ts';
import { mentions } from '../store/user-ids.ts';
import type { Strings } from '../strings/strings.ts';
import { textOf, wordsOf } from '../text/words.ts';
import type { Chat } from './chat.ts';
import type { Follower, NewMessage } from './chat-listener.ts';
import { flag, number, object, optional } from './form.ts';

/** A start of the chat counts as a new visit if the last counted visit started longer ago than this. */
const VISIT_MS = 30 * 60_000;
const VISITS = 3;
const LATER_MS = 30 * 24 * 60 * 60_000;
const LONGEST = 140;
/** The lock of a message is held this long, because other pages of the browser may receive the message later. */
const EVERYWHERE_MS = 5000;

export type MessagePlace = Pick<Message, 'room' | 'seq'>;

/** The state of the offer of notifications, in the browser's storage. */
interface StoredOffer {
  readonly on?: boolean;
  readonly visits: number;
  readonly at: number;
  /** The user was mentioned at least once. */
  readonly mentioned?: boolean;
  /** The user is not asked before this time. */
  readonly later?: number;
}

const storedForm = object<StoredOffer>({
  on: optional(flag),
  visits: number,
  at: number,
  mentioned: optional(flag),
  later: optional(number),
});

/** A message that a notification is about. */
interface Notified {
  readonly room: string;
  readonly seq: number;
  readonly user: string;
}

/** The notification that is shown for a room. */
interface Shown extends Notified {
  readonly notification: Notification;
}

const kept = ({ settings }: Chat): StoredOffer =>
  settings.get('notifications', storedForm) ?? { visits: 0, at: 0 };
const keep = (chat: Chat, change: Partial<StoredOffer>) =>
  chat.settings.set('notifications', { ...kept(chat), ...change });

/** `absent`: this browser cannot show notifications on this page, for example in an insecure context. */
export function notificationState(chat: Chat): 'on' | 'off' | 'blocked' | 'absent' {
  if (typeof Notification === 'undefined' || navigator.locks === undefined) return 'absent';
  if (Notification.permission === 'denied') return 'blocked';
  return Notification.permission === 'granted' && kept(chat).on === true ? 'on' : 'off';
}

/** Must be called by a click, because browsers do not allow the question at other times. */
export async function turnOn(chat: Chat): Promise<void> {
  keep(chat, { on: true });
  if (Notification.permission !== 'granted') await Notification.requestPermission();
}

/** Turns these notifications off. With pushes, a user would be notified of each message twice. */
export function turnOff(chat: Chat): void {
  keep(chat, { on: false });
}

/**
 * Whether to offer notifications: from the third visit or the first mention on, unless the user chose “not now” in the
 * last 30 days.
 */
export function mayAsk(chat: Chat): boolean {
  const { visits, later = 0, mentioned = false } = kept(chat);
  return (visits >= VISITS || mentioned) && later < Date.now() && notificationState(chat) === 'off';
}

export function askLater(chat: Chat): void {
  keep(chat, { later: Date.now() + LATER_MS });
}

/**
 * Shows browser notifications about new messages while no page with this chat has the focus. If several pages are open,
 * one of them shows each notification. A room's newest notification replaces its last one.
 */
export class Notifications implements Follower {
  readonly #chat: Chat;
  readonly #strings: Strings;
  readonly #host: Element;
  readonly #open: (message: MessagePlace) => void;
  readonly #name: string;
  readonly #shown = new Map<string, Shown>();
  #blurred = () => {};
  /** Messages that wait for a lock. The page that gets the lock shows the notification. */
  readonly #waiting = new Set<Notified>();

  /** @param open - shows a message */
  constructor(
    chat: Chat,
    strings: Strings,
    host: Element,
    open: (message: MessagePlace) => void,
    signal: AbortSignal,
  ) {
    this.#chat = chat;
    this.#strings = strings;
    this.#host = host;
    this.#open = open;
    this.#name = `php-chat ${chat.server}`;
    const { visits, at } = kept(chat);
    if (Date.now() - at > VISIT_MS) keep(chat, { visits: visits + 1, at: Date.now() });
    if (notificationState(chat) === 'absent') return;
    addEventListener('focus', this.#focused, { signal });
    addEventListener('blur', () => this.#blurred(), { signal });
    signal.addEventListener('abort', () => {
      this.#blurred();
      this.clear();
    });
    if (document.hasFocus()) this.#focused();
  }

  arrived(room: Room, message: NewMessage): void {
    const { notify } = room;
    if (mentions(message, this.#chat.me?.id)) this.#named();
    if (notify === 'all' || (notify === 'mentions' && mentions(message, this.#chat.me?.id)))
      this.#notify(room, message);
  }

  #named(): void {
    if (kept(this.#chat).mentioned !== true) keep(this.#chat, { mentioned: true });
  }

  mentioned(message: Message): void {
    this.#named();
    const room = this.#chat.rooms.get(message.room);
    if (room?.muted === false) this.#notify(room, message);
  }

  #notify(room: Room, message: NewMessage): void {
    if (document.hasFocus() || notificationState(this.#chat) !== 'on') return;
    const name = `${this.#name} ${room.id} ${message.seq}`;
    const waiting = { room: room.id, seq: message.seq, user: message.user.id };
    this.#waiting.add(waiting);
    const show = async (lock: Lock | null) => {
      const { held = [] } = lock === null ? {} : await navigator.locks.query();
      // The message may have become outdated while this page waited for the lock.
      if (!this.#waiting.delete(waiting) || lock === null) return;
      if (held.some((one) => one.name === this.#focusName)) return;
      this.#show(room, message);
      await new Promise((resolve) => setTimeout(resolve, EVERYWHERE_MS));
    };
    // Without locks, each page would show the message, also while the user reads it in another.
    navigator.locks.request(name, { ifAvailable: true }, show).catch(() => this.#waiting.delete(waiting));
  }

  outdated({ id }: Room, seq: number): void {
    this.#takeBack((one) => one.room === id && one.seq === seq);
  }

  /** The room was deleted, or the user is no longer in it. */
  removed({ id }: Room): void {
    this.#takeBack(({ room }) => room === id);
  }

  reset(room: Room): void {
    this.removed(room);
  }

  blocked({ user: id, blocked }: EventPayload<'blocked:changed'>): void {
    if (blocked) this.#takeBack(({ user }) => user === id);
  }

  /** Closes all notifications. After a logout they must not be visible to another user. */
  clear(): void {
    this.#takeBack(() => true);
  }

  #takeBack(isOver: (one: Notified) => boolean): void {
    for (const one of this.#waiting) if (isOver(one)) this.#waiting.delete(one);
    for (const one of this.#shown.values()) {
      if (!isOver(one)) continue;
      one.notification.close();
      this.#shown.delete(one.room);
    }
  }

  get #focusName(): string {
    return `${this.#name} focus`;
  }

  /**
   * Holds a lock while this page has the focus, so that other pages show no notifications. Closes the notifications,
   * because the user sees the chat now.
   */
  readonly #focused = () => {
    this.clear();
    this.#blurred();
    const blurred = new Promise<void>((resolve) => {
      this.#blurred = resolve;
    });
    // A browser that forbids locks shows no notifications.
    navigator.locks.request(this.#focusName, { mode: 'shared' }, () => blurred).catch(() => {});
  };

  #show(room: Room, message: NewMessage): void {
    const { seq, files } = message;
    const { kind } = room.summary;
    const { logo } = this.#chat.site ?? {};
    const secret = kind !== 'public' && this.#host.getAttribute('notify-text') === 'off';
    const words = [
      ...wordsOf(
        textOf(message, this.#strings),
        typeof files === 'number' ? [] : files,
        this.#strings,
      ).replace(/\s+/gu, ' '),
    ];
    const body = words.length > LONGEST ? `${words.slice(0, LONGEST).join('')}…` : words.join('');
    const notification = notificationOf(this.#titleOf(room, message), {
      body: secret ? '' : body,
      tag: `${this.#name} ${room.id}`,
      icon: logo === undefined ? undefined : this.#chat.server + logo,
      silent: this.#host.getAttribute('sound') !== 'on',
    });
    if (notification === undefined) return;
    this.#shown.set(room.id, { room: room.id, seq, user: message.user.id, notification });
    notification.onclick = () => {
      focus();
      notification.close();
      (this.#host.closest('php-chat-launcher') as (Element & { open(): void }) | null)?.open();
      this.#open({ room: room.id, seq });
    };
  }

  #titleOf({ summary: { kind, name: room, question } }: Room, message: NewMessage): string {
    const { id, name } = message.user;
    if (kind === 'direct') return name;
    // The name of the question has that of its asker.
    if (question?.asker.id === id) return room;
    const isToMe = mentions(message, this.#chat.me?.id);
    return isToMe ? this.#strings.text('mention.you', { name, room }) : `${name} · ${room}`;
  }
}

/** Returns undefined in browsers that show only notifications of service workers, such as those on Android. */
function notificationOf(title: string, options: NotificationOptions): Notification | undefined {
  try {
    return new Notification(title, options);
  } catch {
    return undefined;
  }
}
