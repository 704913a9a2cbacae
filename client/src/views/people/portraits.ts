import type { Chat } from '../../chat/chat.ts';
import { map, number } from '../../chat/form.ts';
import { ERASED } from '../../store/user-ids.ts';
import type { Context } from '../context.ts';
import { siteAddress } from './site-address.ts';

/** Delay before a missing picture is requested again. */
const AGAIN_MS = 60 * 60_000;
/** Shorter, because without a connection the picture may exist. */
const SOON_MS = 60_000;
/** Maximum number of failures that the browser stores. */
const MOST = 200;
const FAILED = 'portraits';

/** Unix time in ms before which a picture is not requested, by URL. */
type Failed = Readonly<Record<string, number>>;

/** What `Portraits` needs from the context. */
interface Wall extends Pick<Context, 'attribute'> {
  readonly chat: Pick<Chat, 'connection' | 'profile' | 'store'>;
}

/** Shows the site's pictures of users over their initials. The initials stay if there is no picture. */
export class Portraits {
  readonly #context: Wall;
  readonly #root: ShadowRoot;
  #template: string | undefined;
  readonly #addresses = new Map<string, string | undefined>();
  /** Failures on this page, in case the browser's storage is full, was emptied, or dropped some. */
  #failed: Failed = {};

  constructor(context: Wall, root: ShadowRoot) {
    this.#context = context;
    this.#root = root;
  }

  /** Call after each render. Adds the pictures to the rendered avatars. */
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
    // All erased users share this ID.
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

  /** Stores the failure for all pages of the site in this browser. */
  #fail(address: string): void {
    // Other avatars with this URL may be out of view, so their requests have not started.
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
