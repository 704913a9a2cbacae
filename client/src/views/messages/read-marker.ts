import type { Chat } from '../../chat/chat.ts';
import type { TimelineView } from './timeline.tsx';

const READ_MS = 500;

/** Marks messages as read after the end was visible for half a second on a focused page. */
export class ReadMarker {
  readonly #chat: Chat;
  readonly #timeline: TimelineView;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(chat: Chat, timeline: TimelineView) {
    this.#chat = chat;
    this.#timeline = timeline;
  }

  /** Call after each render. Scrolling up, leaving the page or opening the room list stops the timer. */
  watch(): void {
    const { atEnd, visible } = this.#timeline;
    const viewing = atEnd && visible && document.hasFocus() && !document.hidden;
    this.#chat.shown.viewing = viewing;
    if (!viewing) this.stop();
    else this.#timer ??= setTimeout(() => this.#read(), READ_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #read(): void {
    this.#timer = undefined;
    this.#chat.markRead();
  }
}
