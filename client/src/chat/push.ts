import type { EventPayload } from '../../../server/wire/events.ts';
import type { Room } from '../store/room.ts';
import type { Chat } from './chat.ts';
import type { Follower } from './chat-listener.ts';
import { flag, number, object, text } from './form.ts';
import { type MessagePlace, turnOff } from './notifications.ts';

/** The worker's message to a page when a notification is clicked. */
const pressed = object<{ phpChat: MessagePlace }>({
  phpChat: object<MessagePlace>({ room: text, seq: number }),
});
/** The storage key of the user's choice in this browser. A logout deletes it. */
const WISH = 'push';

/**
 * `on`: this device is notified while no page is open. `blocked`: the browser blocks notifications. `home`: an iPhone
 * allows them only to a site on its Home Screen. `absent`: the browser or the site does not support pushes, or the chat
 * server is on another origin and the page names no worker.
 */
export type PushState = 'on' | 'off' | 'blocked' | 'home' | 'absent';

/**
 * Pushes to this browser, through the chat server's service worker. The settings panel shows `state` and calls `turnOn`
 * and `turnOff`.
 */
export class BrowserPush implements Follower {
  /** This device's ID in `device:list`; undefined until the device is registered. */
  id: string | undefined;
  readonly #chat: Chat;
  readonly #changed: () => void;
  readonly #host: Element;
  readonly #open: (message: MessagePlace) => void;
  /** The last task. The next one waits for it, because the user may click while the start registers the device. */
  #work: Promise<unknown> = Promise.resolve();
  /** The number of unread messages at the last check. */
  #unread: number | undefined;
  /** The request for the worker's notifications that is in progress. */
  #notices: Promise<Notification[]> | undefined;

  /** @param open - shows a message */
  constructor(
    chat: Chat,
    changed: () => void,
    host: Element,
    open: (message: MessagePlace) => void,
    signal: AbortSignal,
  ) {
    this.#chat = chat;
    this.#changed = changed;
    this.#host = host;
    this.#open = open;
    if (this.#worker !== undefined)
      navigator.serviceWorker.addEventListener('message', this.#message, { signal });
    const { kind } = chat.connection.state;
    if (kind === 'ready') this.ready();
    else if (kind === 'ended') this.ended();
  }

  get state(): PushState {
    if (!this.#chat.can.push || this.#worker === undefined) return 'absent';
    // An iPhone has neither unless the site is on the Home Screen.
    if (!('PushManager' in window) || typeof Notification === 'undefined')
      return (navigator as { standalone?: boolean }).standalone === false ? 'home' : 'absent';
    if (Notification.permission === 'denied') return 'blocked';
    return this.#isWanted && Notification.permission === 'granted' ? 'on' : 'off';
  }

  /** Must be called by a click, because the browser then asks the user. @throws if pushes could not be turned on */
  turnOn(): Promise<void> {
    // Ask at once, while the browser still counts this as a click.
    const asked = Notification.requestPermission();
    return this.#next(async () => {
      if ((await asked) !== 'granted') throw new Error('notifications are not allowed');
      await this.#register();
      this.#chat.store?.set(WISH, true);
      turnOff(this.#chat);
    });
  }

  /** @throws if the server could not remove the device */
  turnOff(): Promise<void> {
    return this.#next(async () => {
      this.#chat.store?.delete(WISH);
      const { id } = this;
      this.id = undefined;
      await (await this.#subscription())?.unsubscribe();
      if (id !== undefined) await this.#chat.request('device:remove', { id });
    });
  }

  /** Registers the device on each connection, because the session ID or the browser's subscription may have changed. */
  ready(): void {
    if (this.state === 'absent' || this.state === 'home') return;
    this.#next(async () => {
      if (this.state === 'on') await this.#register();
      // The subscription may be from another user, or from before a logout.
      else if (!this.#isWanted) {
        await (await this.#subscription())?.unsubscribe();
        await this.#closeAll();
      }
      await this.#close(
        ({ room = '', seq = 0 }) => seq <= (this.#chat.rooms.get(room)?.summary.readSeq ?? -1),
      );
      // The next connection tries again.
    }).catch(() => {});
  }

  /**
   * Called with each render. When all messages are read, on any device, the icon of an installed site loses its number.
   */
  settle(): void {
    const { connection, list } = this.#chat;
    if (connection.state.kind !== 'ready') return;
    const { unread } = list.totals;
    if (unread === this.#unread) return;
    this.#unread = unread;
    if (unread === 0 && this.state === 'on') this.#clearNumber().catch(() => {});
  }

  /** The session ended. The notifications are closed, because another user may see them. */
  ended(): void {
    this.#next(() => this.#closeAll()).catch(() => {});
  }

  /** Closes the room's notifications, because their messages are now read. */
  opened({ id }: Room): void {
    this.#close(({ room }) => room === id).catch(() => {});
  }

  /** The room was deleted, or the user is no longer in it. */
  removed(room: Room): void {
    this.opened(room);
  }

  reset(room: Room): void {
    this.opened(room);
  }

  outdated({ id }: Room, seq: number): void {
    this.#close((message) => message.room === id && message.seq === seq).catch(() => {});
  }

  blocked({ user: id, blocked }: EventPayload<'blocked:changed'>): void {
    if (!blocked) return;
    this.#close(({ room = '', seq }) => {
      const { with: other, last } = this.#chat.rooms.get(room)?.summary ?? {};
      return other?.id === id || (last?.seq === seq && last?.user.id === id);
    }).catch(() => {});
  }

  get #isWanted(): boolean {
    return this.#chat.store?.get(WISH, flag) === true;
  }

  /**
   * The chat server's worker, or the worker that the page names if the server is on another origin. A page may only use
   * workers of its own origin, over TLS or on localhost.
   */
  get #worker(): { address: string; scope: string } | undefined {
    if (!('serviceWorker' in navigator)) return undefined;
    const { server } = this.#chat;
    if (new URL(server).origin === location.origin) return { address: `${server}sw.js`, scope: server };
    const named = this.#host.getAttribute('worker');
    const address = named === null ? null : URL.parse(named, document.baseURI);
    if (address?.origin !== location.origin) return undefined;
    // A separate scope, because the site may have a worker for its pages.
    return { address: address.href, scope: new URL('php-chat/', address).href };
  }

  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#work.then(work, work);
    this.#work = done.catch(() => {});
    return done.finally(() => this.#changed());
  }

  /** Returns undefined until our worker is registered. The site may have its own worker and subscriptions. */
  async #registration(): Promise<ServiceWorkerRegistration | undefined> {
    if (this.#worker === undefined) return undefined;
    const { address, scope } = this.#worker;
    const found = await navigator.serviceWorker.getRegistration(scope);
    const script = found?.active ?? found?.waiting ?? found?.installing;
    return script?.scriptURL === address ? found : undefined;
  }

  async #subscription(): Promise<PushSubscription | null | undefined> {
    return (await this.#registration())?.pushManager.getSubscription();
  }

  async #register(): Promise<void> {
    if (this.#worker === undefined) throw new Error('this page cannot use a service worker');
    const { address, scope } = this.#worker;
    const registration = await navigator.serviceWorker.register(trusted(address) as string, { scope });
    await activated(registration);
    const answer = await fetch(`${this.#chat.server}push/key`);
    if (!answer.ok) throw new Error('the key for pushes could not be fetched');
    const { key } = (await answer.json()) as { key: string };
    const { pushManager } = registration;
    let subscription = await pushManager.getSubscription();
    // The subscription was created with a key that the site has replaced.
    if (subscription !== null && keyOf(subscription) !== key) {
      await subscription.unsubscribe();
      subscription = null;
    }
    subscription ??= await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    const { endpoint = '', keys: { p256dh = '', auth = '' } = {} } = subscription.toJSON();
    const page = location.href.split('#')[0] as string;
    const device = { endpoint, p256dh, auth, key, page, name: browserName() };
    this.id = (await this.#chat.request('device:register', device)).id;
  }

  /** Closes the notifications of the messages that `isOver` matches. */
  async #close(isOver: (message: Partial<MessagePlace>) => boolean): Promise<void> {
    // Many messages may become outdated at once, and share this request.
    this.#notices ??= this.#registration()
      .then((found) => found?.getNotifications() ?? [])
      .finally(() => {
        this.#notices = undefined;
      });
    for (const notice of await this.#notices) {
      const { data } = notice as { data?: Partial<MessagePlace> | null };
      if (isOver(data ?? {})) notice.close();
    }
  }

  /** Also removes the number from the icon of an installed site. */
  async #closeAll(): Promise<void> {
    await this.#close(() => true);
    await this.#clearNumber();
  }

  async #clearNumber(): Promise<void> {
    // Without our worker, the number belongs to the site.
    if ((await this.#registration()) !== undefined) await navigator.clearAppBadge?.().catch(() => {});
  }

  readonly #message = ({ data, ports }: MessageEvent) => {
    if (!pressed(data)) return;
    ports[0]?.postMessage(true);
    (this.#host.closest('php-chat-launcher') as (Element & { open(): void }) | null)?.open();
    this.#open(data.phpChat);
  };
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): unknown };
}
let policy: ReturnType<TrustedTypes['createPolicy']> | undefined;

/** Converts the worker's address for pages with Trusted Types. The page's policy must allow `php-chat`. */
function trusted(address: string): unknown {
  const { trustedTypes } = window as { trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return address;
  try {
    policy ??= trustedTypes.createPolicy('php-chat', { createScriptURL: (url) => url });
    return policy.createScriptURL(address);
  } catch {
    return address;
  }
}

/** Waits until the worker is active, because only an active worker can subscribe. */
function activated({ active, waiting, installing }: ServiceWorkerRegistration): Promise<void> {
  const worker = active ?? waiting ?? installing;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker?.state === 'activated' || worker?.state === 'activating') resolve();
      else if (worker?.state === 'redundant') reject(new Error('the worker could not be installed'));
    };
    worker?.addEventListener('statechange', look);
    look();
  });
}

/** Returns the public key of a subscription in the server's format (base64url). */
function keyOf({ options: { applicationServerKey } }: PushSubscription): string {
  const bytes = String.fromCharCode(...new Uint8Array(applicationServerKey ?? new ArrayBuffer()));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Returns a name for the list of devices, such as “Firefox, Windows”. */
function browserName(): string {
  const { userAgent } = navigator;
  const of = (names: readonly (readonly [string, RegExp])[]) =>
    names.find(([, pattern]) => pattern.test(userAgent))?.[0];
  const browser = of([
    ['Edge', /Edg/],
    ['Opera', /OPR\//],
    ['Samsung Internet', /SamsungBrowser/],
    ['Firefox', /Firefox|FxiOS/],
    ['Chrome', /Chrome|CriOS/],
    ['Safari', /Safari/],
  ]);
  const system = of([
    ['Android', /Android/],
    ['iPhone', /iPhone/],
    ['iPad', /iPad/],
    ['Windows', /Windows/],
    ['macOS', /Mac OS X/],
    ['Linux', /Linux/],
  ]);
  return [browser, system].filter((name) => name !== undefined).join(', ');
}
