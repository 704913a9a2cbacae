import { takeAddress } from '../../element/asked.ts';
import { hashOf, type PageAddress } from '../../text/page-address.ts';
import type { Context } from '../context.ts';
import type { Pane } from '../panes.ts';

/** Key in `history.state` for what an entry shows, next to the site's own data. */
const MARK = 'php-chat';

/** What an entry shows: a pane, and whether a layer covers it. */
interface Mark {
  readonly pane: Pane;
  readonly above?: true;
}

interface RoomEntryContext extends Pick<Context, 'attribute' | 'chat' | 'pane' | 'changed'> {
  /** Closes the layer that covers the panes. */
  uncover(): void;
  /** Opens what the page's address now refers to. */
  visit(asked: PageAddress): void;
}

/**
 * The chat's entries in the browser's history, on pages that allow them. With one pane, the room has its own entry, so
 * Back leads to the list. A layer such as a dialog has one too, so Back closes it.
 */
export class RoomEntry {
  readonly #context: RoomEntryContext;
  /** The chat itself called `history.back()`. */
  #leaving = false;
  /** Whether a layer covers the panes. */
  #above = false;

  constructor(context: RoomEntryContext) {
    this.#context = context;
    addEventListener('popstate', this.#moved);
  }

  stop(): void {
    removeEventListener('popstate', this.#moved);
  }

  /** Whether the history entry shows the list, because the user went back to it before the chat started. */
  get atRooms(): boolean {
    return this.#used && marked()?.pane === 'rooms';
  }

  /** Call after each render. `pane` is undefined if both panes are shown. */
  follow(pane: Pane | undefined, above: boolean): void {
    const { chat } = this.#context;
    this.#above = above;
    if (!this.#used || this.#leaving) return;
    const mark = marked();
    const closed = mark?.above && !(above && (pane ?? mark.pane) === mark.pane);
    if (closed || (pane === 'rooms' && mark?.pane === 'room')) {
      this.#leaving = true;
      history.back();
      return;
    }
    if (pane !== 'rooms' && chat.current !== undefined) this.#enter(hashOf(chat.current.id), pane);
    const now = marked() ?? { pane: pane ?? 'room' };
    if (above && !now.above) history.pushState(state({ pane: now.pane, above: true }), '');
  }

  /** Sets the address to the open room. */
  #enter(address: string, pane: Pane | undefined): void {
    const { hash, pathname, search } = location;
    if (pane === undefined || marked()?.pane === 'room') {
      if (hash !== address) history.replaceState(history.state, '', address);
      return;
    }
    // The page may have been opened with a room's address. This history entry becomes the list, without that address.
    history.replaceState(
      state({ pane: 'rooms' }),
      '',
      hash.startsWith('#m=') ? pathname + search : undefined,
    );
    history.pushState(state({ pane: 'room' }), '', address);
  }

  get #used(): boolean {
    const { attribute, chat } = this.#context;
    return attribute('history') === 'hash' && !chat.single;
  }

  readonly #moved = () => {
    const { changed, chat, pane, uncover, visit } = this.#context;
    if (!this.#used) return;
    const leaving = this.#leaving;
    this.#leaving = false;
    // The browser goes back asynchronously, so the user may be in another room by now.
    if (leaving) return changed();
    const mark = marked();
    const asked = takeAddress(chat.server);
    // The user entered an address or clicked a link.
    if (mark === undefined && asked !== undefined) return visit(asked);
    if (this.#above && !mark?.above) uncover();
    else if (asked !== undefined && 'room' in asked && chat.rooms.has(asked.room)) chat.open(asked.room);
    pane(mark?.pane ?? 'rooms');
    changed();
  };
}

const marked = (): Mark | undefined => history.state?.[MARK];

const state = (mark: Mark) => ({ ...(history.state instanceof Object && history.state), [MARK]: mark });
