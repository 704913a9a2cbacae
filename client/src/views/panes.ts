import type { Chat } from '../chat/chat.ts';
import { flag } from '../chat/form.ts';

/** From so many pixels on there is room for the list beside a room, and for the people beside both. */
const TWO_PANES = 640;
const WIDE = 960;
/** On a phone the bar above the messages has no room for a search. */
const SEARCH_IN_BAR = 391;

export type Pane = 'rooms' | 'room';

/** Which panes are shown in an element of its width. */
export class Panes {
  /** Which one is wanted where there is room for one. */
  view: Pane = 'room';
  /** The user's settings, or what the page's address asks for, stand in place of the room. */
  hidesRoom = false;
  readonly #chat: Chat;
  /** People beside the timeline, where there is room for it: remembered. */
  #peopleBeside: boolean;
  #width = 0;

  constructor(chat: Chat) {
    this.#chat = chat;
    this.#peopleBeside = chat.settings.get('people', flag) ?? true;
  }

  fit(width: number): void {
    this.#width = width;
  }

  /** The one that is shown where there is room for one. A ban is shown in place of its room. */
  get shown(): Pane {
    const none = this.#chat.roomless && this.#chat.shown.ban === undefined && !this.hidesRoom;
    return none ? 'rooms' : this.view;
  }

  /** The same; undefined where there is room for two. */
  get single(): Pane | undefined {
    return this.#width < TWO_PANES ? this.shown : undefined;
  }

  get wide(): boolean {
    return this.#width >= WIDE;
  }

  get searchInBar(): boolean {
    return this.#width >= SEARCH_IN_BAR;
  }

  /** The list does not stand in place of the room. */
  get roomInSight(): boolean {
    return this.single !== 'rooms';
  }

  /** People of a direct room are the two that one knows of. */
  get people(): boolean {
    const { current, roomless } = this.#chat;
    return this.wide && this.#peopleBeside && !roomless && current?.summary.kind !== 'direct';
  }

  showPeople(shown: boolean): void {
    this.#peopleBeside = shown;
    this.#chat.settings.set('people', shown);
  }
}
