import type { Chat } from '../chat/chat.ts';

/** Minimum widths in CSS pixels: the room list next to a room, and a panel next to both. */
const TWO_PANES = 640;
const WIDE = 960;
/** Minimum width in CSS pixels for a search button in the header. Many phones, with 360 to 390, are narrower. */
const SEARCH_IN_BAR = 391;

export type Pane = 'rooms' | 'room';

/** Decides which panes an element of a given width shows. */
export class Panes {
  /** The pane to show if there is space for only one. */
  view: Pane = 'room';
  /** The user's settings or the target of the page's address replace the room. */
  hidesRoom = false;
  readonly #chat: Chat;
  #width = 0;

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  fit(width: number): void {
    this.#width = width;
  }

  /**
   * The pane to show if there is space for only one. Without a room it is the list, unless a ban notice or `hidesRoom`
   * replaces the room.
   */
  get shown(): Pane {
    const none = this.#chat.roomless && this.#chat.shown.ban === undefined && !this.hidesRoom;
    return none ? 'rooms' : this.view;
  }

  /** Same as `shown`, but undefined if there is space for two panes. */
  get single(): Pane | undefined {
    return this.#width < TWO_PANES ? this.shown : undefined;
  }

  get wide(): boolean {
    return this.#width >= WIDE;
  }

  get searchInBar(): boolean {
    return this.#width >= SEARCH_IN_BAR;
  }

  /** How many letters of a room's name fit into the field for messages, in the largest text of a phone. */
  get lettersInField(): number {
    const room = Math.max(Math.min(this.#width, 420), this.#width / 2);
    return Math.max(3, Math.floor((room - 285) / 9));
  }

  /** Whether the room's pane is visible. */
  get roomInSight(): boolean {
    return this.single !== 'rooms';
  }
}
