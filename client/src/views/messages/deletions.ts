import type { Message } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Context } from '../context.ts';

/** How long a deletion can be undone. */
const UNDO_MS = 6000;

/**
 * Deletions of the user's own messages. The user sees a deletion at once. The server gets it when it can no longer be
 * undone, or when the page is closed.
 */
export class Deletions implements Follower {
  readonly #context: Context;
  /** The deletions that can be undone, by the message's ID. */
  readonly #waiting = new Map<string, { message: Message; timer: ReturnType<typeof setTimeout> }>();

  constructor(context: Context) {
    this.#context = context;
  }

  begin(message: Message): void {
    const { chat, strings, toast, changed } = this.#context;
    if (chat.deleting.has(message.id)) return;
    const { id, room, seq, rev, clientId, user, sentAt, replyTo, thread } = message;
    chat.deleting.set(id, {
      ...{ id, room, seq, rev, clientId, user, text: '', sentAt, deletedAt: Date.now() },
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(thread === undefined ? {} : { thread }),
    });
    this.#waiting.set(id, { message, timer: setTimeout(() => this.#send(id), UNDO_MS) });
    toast(strings.text('msg.deleted'), 'good', {
      label: 'common.undo',
      until: Date.now() + UNDO_MS,
      run: () => this.#undo(id),
    });
    changed();
  }

  /** Call when the page is closed. */
  sendAll(): void {
    for (const id of [...this.#waiting.keys()]) this.#send(id);
  }

  /** Another user must not send the deletions. */
  over(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#context.chat.deleting.clear();
  }

  #undo(id: string): void {
    if (this.#take(id) === undefined) return;
    this.#context.chat.deleting.delete(id);
    this.#context.changed();
  }

  #send(id: string): void {
    const { chat, strings, toast, changed } = this.#context;
    const message = this.#take(id);
    if (message === undefined) return;
    // Sent at once while connected, because the page may be closing.
    const ready = chat.connection.state.kind === 'ready' ? undefined : chat.connection.connected();
    const request = ready?.then(() => chat.delete(message)) ?? chat.delete(message);
    request
      .catch(() => toast(strings.text('error.delete'), 'bad'))
      .finally(() => {
        chat.deleting.delete(id);
        changed();
      });
  }

  #take(id: string): Message | undefined {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    return waiting?.message;
  }
}
