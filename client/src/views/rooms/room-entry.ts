import { takeAddress } from '../../element/asked.ts';
import { hashOf, type PageAddress } from '../../text/page-address.ts';
import type { Context } from '../context.ts';
import type { Pane } from '../panes.ts';

/** Says in `history.state` what an entry shows, beside what the site keeps there. */
const MARK = 'php-chat';

/** The content of an entry: a pane, and whether something lies above it. */
interface Mark {
  readonly pane: Pane;
  readonly above?: true;
}

interface RoomEntryContext extends Pick<Context, 'attribute' | 'chat' | 'pane' | 'changed'> {
  /** Closes what lies above the panes. */
  uncover(): void;
  /** The page's address asks for something else now. */
  visit(asked: PageAddress): void;
}

/**
 * The entries of the browser's history, on a page that lets the chat have them. Where there is one pane, the room has
 * one of its own: Back leads to the rooms. So has what lies above a pane, such as a dialog: Back closes it.
 */
export class RoomEntry {
  readonly #context: RoomEntryContext;
  /** The chat has sent the browser back. */
  #leaving = false;
  /** Something lies above the panes. */
  #above = false;

  constructor(context: RoomEntryContext) {
    this.#context = context;
    addEventListener('popstate', this.#moved);
  }

  stop(): void {
    removeEventListener('popstate', this.#moved);
  }

  /** Somebody went back to the rooms before the chat was there, or from another page. */
  get atRooms(): boolean {
    return this.#used && marked()?.pane === 'rooms';
  }

  /** After each drawing; `pane` is undefined where both are shown. */
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

  /** The address is that of the room. */
  #enter(address: string, pane: Pane | undefined): void {
    const { hash, pathname, search } = location;
    if (pane === undefined || marked()?.pane === 'room') {
      if (hash !== address) history.replaceState(history.state, '', address);
      return;
    }
    // The page may have been opened with the address of a room: the rooms have none.
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
    // The browser has come late: the user may be in another room by now.
    if (leaving) return changed();
    const mark = marked();
    const asked = takeAddress(chat.server);
    // Somebody has typed an address, or pressed a link to one.
    if (mark === undefined && asked !== undefined) return visit(asked);
    if (this.#above && !mark?.above) uncover();
    else if (asked !== undefined && 'room' in asked && chat.rooms.has(asked.room)) chat.open(asked.room);
    pane(mark?.pane ?? 'rooms');
    changed();
  };
}

const marked = (): Mark | undefined => history.state?.[MARK];

const state = (mark: Mark) => ({ ...(history.state instanceof Object && history.state), [MARK]: mark });
