import type { Chat } from '../../chat/chat.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { addressOf } from '../files/address.ts';

/** Delay before a picture that did not load is requested again. */
const AGAIN_MS = 60_000;

/** Shows the pictures of rooms over their emoji or icons, which stay if a picture does not load. */
export class RoomPictures implements Follower {
  readonly #chat: Pick<Chat, 'server' | 'fileAccess'>;
  readonly #root: ShadowRoot;
  /** Unix time in ms before which a picture is not requested, by URL. */
  readonly #failed = new Map<string, number>();

  constructor(chat: Pick<Chat, 'server' | 'fileAccess'>, root: ShadowRoot) {
    this.#chat = chat;
    this.#root = root;
  }

  /** Requests pictures again that did not load, perhaps because the connection was lost. */
  ready(): void {
    this.#failed.clear();
  }

  /** Call after each render. Adds the pictures to the rendered tiles. */
  hang(): void {
    for (const tile of this.#root.querySelectorAll<HTMLElement>('.tile:is([data-picture], :has(> img))')) {
      const { picture: id, invite } = tile.dataset;
      const shown = tile.querySelector('img');
      if (shown !== null && shown.dataset.id === id) continue;
      shown?.remove();
      if (id === undefined) continue;
      const file = { id, name: 'picture.webp' };
      const address = new URL(addressOf(this.#chat, file), location.href);
      if (invite !== undefined) address.searchParams.set('invite', invite);
      if ((this.#failed.get(address.href) ?? 0) < Date.now()) tile.append(this.#picture(id, address.href));
    }
  }

  #picture(id: string, address: string): HTMLImageElement {
    const picture = new Image();
    picture.dataset.id = id;
    picture.alt = '';
    picture.crossOrigin = 'use-credentials';
    picture.loading = 'lazy';
    picture.decoding = 'async';
    picture.draggable = false;
    picture.onload = () => picture.classList.add('there');
    picture.onerror = () => {
      this.#failed.set(address, Date.now() + AGAIN_MS);
      picture.remove();
    };
    picture.src = address;
    return picture;
  }
}
