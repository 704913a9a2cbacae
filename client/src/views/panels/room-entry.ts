import type { Context } from '../context.ts';
import type { Pane } from '../panes.ts';

/** Marks the entry in `history.state`, beside what the site keeps there. */
const MARK = 'php-chat';

/** Where there is one pane, the room has an entry of its own in the browser's history: Back leads to the rooms. */
export class RoomEntry {
  readonly #context: Context;
  /** The browser is on its way back to the rooms. */
  #leaving = false;

  constructor(context: Context, signal: AbortSignal) {
    this.#context = context;
    addEventListener('popstate', this.#moved, { signal });
  }

  /** After each drawing; `pane` is undefined where both are shown. */
  follow(pane: Pane | undefined): void {
    const { attribute, chat } = this.#context;
    if (attribute('history') !== 'hash' || pane === undefined || this.#leaving) return;
    if (pane === 'rooms') {
      this.#leaving = isOurs();
      if (this.#leaving) history.back();
      return;
    }
    if (chat.current === undefined) return;
    const address = `#m=${chat.current.id}`;
    if (isOurs()) {
      if (location.hash !== address) history.replaceState(history.state, '', address);
      return;
    }
    // The page may have been opened with the address of a room: the rooms have none.
    if (location.hash.startsWith('#m='))
      history.replaceState(history.state, '', location.pathname + location.search);
    history.pushState({ ...(history.state instanceof Object && history.state), [MARK]: true }, '', address);
  }

  readonly #moved = () => {
    this.#leaving = false;
    if (this.#context.attribute('history') === 'hash') this.#context.pane(isOurs() ? 'room' : 'rooms');
  };
}

const isOurs = () => history.state?.[MARK] === true;
