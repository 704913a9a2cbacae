import type { Context } from '../context.ts';
import type { Pane } from '../panes.ts';

/** Says in `history.state` which pane an entry shows, beside what the site keeps there. */
const MARK = 'php-chat';

type RoomEntryContext = Pick<Context, 'attribute' | 'chat' | 'pane' | 'changed'>;

/** Where there is one pane, the room has an entry of its own in the browser's history: Back leads to the rooms. */
export class RoomEntry {
  readonly #context: RoomEntryContext;
  /** The chat has sent the browser back to the rooms. */
  #leaving = false;

  constructor(context: RoomEntryContext) {
    this.#context = context;
    addEventListener('popstate', this.#moved);
  }

  stop(): void {
    removeEventListener('popstate', this.#moved);
  }

  /** Somebody went back to the rooms before the chat was there, or from another page. */
  get atRooms(): boolean {
    return this.#used && marked() === 'rooms';
  }

  /** After each drawing; `pane` is undefined where both are shown. */
  follow(pane: Pane | undefined): void {
    const { chat } = this.#context;
    if (!this.#used || pane === undefined || this.#leaving) return;
    if (pane === 'rooms') {
      this.#leaving = marked() === 'room';
      if (this.#leaving) history.back();
      return;
    }
    if (chat.current === undefined) return;
    const address = `#m=${chat.current.id}`;
    if (marked() === 'room') {
      if (location.hash !== address) history.replaceState(history.state, '', address);
      return;
    }
    // The page may have been opened with the address of a room: the rooms have none.
    const { hash, pathname, search } = location;
    history.replaceState(state('rooms'), '', hash.startsWith('#m=') ? pathname + search : undefined);
    history.pushState(state('room'), '', address);
  }

  get #used(): boolean {
    const { attribute, chat } = this.#context;
    return attribute('history') === 'hash' && !chat.single;
  }

  readonly #moved = () => {
    const { changed, pane } = this.#context;
    // The browser has come late: the user may be in another room by now.
    if (this.#leaving) changed();
    else if (this.#used) pane(marked() === 'room' ? 'room' : 'rooms');
    this.#leaving = false;
  };
}

const marked = (): unknown => history.state?.[MARK];

const state = (pane: Pane) => ({ ...(history.state instanceof Object && history.state), [MARK]: pane });
