import type { Message } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { number, object, text } from '../../chat/form.ts';
import { isInterrupted } from '../../connection/tasks.ts';
import type { Context } from '../context.ts';

/** How long a deletion can be undone. */
const UNDO_MS = 6000;

type Place = Pick<Message, 'room' | 'seq'>;

/** A deletion in the browser's storage, by the message's ID. `until`: when it can no longer be undone, in Unix ms. */
const storedForm = object<Place & { until: number }>({
  room: text,
  seq: number,
  until: number,
});
const storageKey = (id: string) => `delete/${id}`;

/**
 * Deletions of the user's own messages. The user sees a deletion at once. The server gets it when it can no longer be
 * undone, or when the page is hidden or closed. Deletions are stored until the server has confirmed them, because a
 * phone may end a hidden page.
 */
export class Deletions implements Follower {
  readonly #context: Context;
  /** The deletions that can be undone, by the message's ID. */
  readonly #waiting = new Map<string, ReturnType<typeof setTimeout>>();
  /** The deletions that the server has not confirmed, also those that can be undone. */
  readonly #unconfirmed = new Map<string, Place>();

  constructor(context: Context) {
    this.#context = context;
  }

  begin(message: Message): void {
    const { chat, strings, toast, changed } = this.#context;
    if (chat.deleting.has(message.id)) return;
    const { id, room, seq, rev, clientId, user, sentAt, replyTo, thread } = message;
    chat.deleting.set(id, {
      ...{ id, room, seq, rev, clientId, user, text: '', sentAt, deletedAt: chat.clock.now },
      replyTo,
      thread,
    });
    chat.store?.set(storageKey(id), { room, seq, until: chat.clock.now + UNDO_MS });
    this.#unconfirmed.set(id, { room, seq });
    this.#waiting.set(
      id,
      setTimeout(() => this.#send(id), UNDO_MS),
    );
    document.addEventListener('visibilitychange', this.#hidden);
    toast(strings.text('msg.deleted'), 'good', {
      label: 'common.undo',
      until: performance.now() + UNDO_MS,
      over: () => !this.#waiting.has(id),
      run: () => this.#undo(id),
    });
    changed();
  }

  /** Sends the deletions that an earlier connection or page did not complete. */
  ready(): void {
    const { store } = this.#context.chat;
    for (const id of this.#unconfirmed.keys()) if (!this.#waiting.has(id)) this.#send(id);
    for (const key of store?.keys('delete/') ?? []) {
      const id = key.slice('delete/'.length);
      const stored = store?.get(key, storedForm);
      if (stored === undefined) store?.delete(key);
      else if (!this.#unconfirmed.has(id)) this.#resume(id, stored.until);
    }
  }

  /** Call when the page is closed. */
  sendAll(): void {
    for (const id of [...this.#waiting.keys()]) this.#send(id);
  }

  /** Another user must not send the deletions. */
  over(): void {
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#unconfirmed.clear();
    this.#context.chat.deleting.clear();
  }

  readonly #hidden = () => {
    if (!document.hidden) return;
    this.sendAll();
    this.#context.changed();
  };

  /** Another tab may still undo this deletion, or complete it. */
  #resume(id: string, until: number): void {
    const { chat } = this.#context;
    const { store } = chat;
    setTimeout(
      () => {
        const stored = store?.get(storageKey(id), storedForm);
        if (stored === undefined || chat.store !== store || this.#unconfirmed.has(id)) return;
        this.#unconfirmed.set(id, { room: stored.room, seq: stored.seq });
        this.#send(id);
      },
      Math.max(0, Math.min(UNDO_MS, until - chat.clock.now)),
    );
  }

  #undo(id: string): void {
    if (!this.#waiting.has(id)) return;
    this.#stopWaiting(id);
    this.#end(id);
  }

  #send(id: string): void {
    const { chat, strings, toast } = this.#context;
    this.#stopWaiting(id);
    const place = this.#unconfirmed.get(id);
    // Without a connection, the next one sends it.
    if (place === undefined || chat.connection.state.kind !== 'ready') return;
    chat.delete(place).then(
      () => this.#end(id),
      (error) => {
        if (isInterrupted(error) || !this.#unconfirmed.has(id)) return;
        this.#end(id);
        toast(strings.text('error.delete'), 'bad');
      },
    );
  }

  #stopWaiting(id: string): void {
    clearTimeout(this.#waiting.get(id));
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) document.removeEventListener('visibilitychange', this.#hidden);
  }

  #end(id: string): void {
    const { chat, changed } = this.#context;
    // After a change of the user it belongs to another storage.
    if (!this.#unconfirmed.delete(id)) return;
    chat.deleting.delete(id);
    chat.store?.delete(storageKey(id));
    changed();
  }
}
