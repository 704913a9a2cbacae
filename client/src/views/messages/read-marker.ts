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
    this.#chat.shown.sight = this.#isInSight;
    if (!this.#isInSight()) this.stop();
    else this.#timer ??= setTimeout(() => this.#read(), READ_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #isInSight = () => {
    const { atEnd, visible } = this.#timeline;
    return atEnd && visible && document.hasFocus() && !document.hidden;
  };

  #read(): void {
    this.#timer = undefined;
    if (this.#chat.shown.viewing) this.#chat.markRead();
  }
}
