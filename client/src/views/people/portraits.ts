import type { Chat } from '../../chat/chat.ts';
import { map, number } from '../../chat/form.ts';
import { ERASED } from '../../store/user-ids.ts';
import type { Context } from '../context.ts';
import { siteAddress } from './site-address.ts';

/** Where there is no picture, none is asked for again for so long. */
const AGAIN_MS = 60 * 60_000;
/** While the network is away, that says nothing of the picture. */
const SOON_MS = 60_000;
/** How many of them are remembered beyond this page. */
const MOST = 200;
const FAILED = 'portraits';

/** Until when a picture is not asked for, by addresses. */
type Failed = Readonly<Record<string, number>>;

/** Where they hang. */
interface Wall extends Pick<Context, 'attribute'> {
  readonly chat: Pick<Chat, 'connection' | 'profile' | 'store'>;
}

/** Pictures of people, as the site has them: over the initials, which stay where there is none. */
export class Portraits {
  readonly #context: Wall;
  readonly #root: ShadowRoot;
  #template: string | undefined;
  readonly #addresses = new Map<string, string | undefined>();
  /** Known here even where the browser's storage is full, was emptied, or forgets some of very many. */
  #failed: Failed = {};

  constructor(context: Wall, root: ShadowRoot) {
    this.#context = context;
    this.#root = root;
  }

  /** After each drawing: they hang in what was drawn. */
  hang(): void {
    const { chat, attribute } = this.#context;
    const template = attribute('avatar-url') ?? chat.profile.avatar;
    if (template !== this.#template) this.#addresses.clear();
    else if (template === undefined) return;
    this.#template = template;
    const failed = { ...this.#stored, ...this.#failed };
    for (const avatar of this.#root.querySelectorAll<HTMLElement>('.avatar')) {
      const picture = avatar.querySelector('img');
      const address = this.#address(avatar.dataset.user);
      if (picture?.src === address) continue;
      picture?.remove();
      if (address !== undefined && (failed[address] ?? 0) < Date.now()) avatar.append(this.#picture(address));
    }
  }

  #address(id: string | undefined): string | undefined {
    // An erased user has the id of nobody.
    if (id === undefined || id === ERASED || this.#template === undefined) return undefined;
    if (!this.#addresses.has(id)) this.#addresses.set(id, siteAddress(this.#template, id));
    return this.#addresses.get(id);
  }

  #picture(address: string): HTMLImageElement {
    const picture = new Image();
    picture.alt = '';
    picture.loading = 'lazy';
    picture.decoding = 'async';
    picture.referrerPolicy = 'no-referrer';
    picture.draggable = false;
    picture.onload = () => picture.classList.add('there');
    picture.onerror = () => this.#fail(address);
    picture.src = address;
    return picture;
  }

  get #stored(): Failed {
    return this.#context.chat.store?.get(FAILED, map(number)) ?? {};
  }

  /** For all pages of the site that this user opens in this browser. */
  #fail(address: string): void {
    // Others of it may be out of sight, and not asked for yet.
    for (const picture of this.#root.querySelectorAll<HTMLImageElement>('.avatar img'))
      if (picture.src === address) picture.remove();
    const now = Date.now();
    const { connection, store } = this.#context.chat;
    const until = now + (connection.state.kind === 'ready' ? AGAIN_MS : SOON_MS);
    this.#failed = { ...this.#failed, [address]: until };
    const others = Object.entries(this.#stored).filter(([one, then]) => then > now && one !== address);
    store?.set(FAILED, Object.fromEntries([...others, [address, until] as const].slice(-MOST)));
  }
}
