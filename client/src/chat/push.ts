import type { EventPayload } from '../../../server/wire/events.ts';
import type { Room } from '../store/room.ts';
import type { Chat } from './chat.ts';
import type { Follower } from './chat-listener.ts';
import { flag, number, object, text } from './form.ts';
import { type MessagePlace, turnOff } from './notifications.ts';

/** The worker's message to a page when a notice is pressed. */
const pressed = object<{ phpChat: MessagePlace }>({
  phpChat: object<MessagePlace>({ room: text, seq: number }),
});
/** The wish of this user in this browser. A logout deletes it. */
const WISH = 'push';

/**
 * `on`: this device is notified while no page is open. `blocked`: by the browser. `home`: an iPhone allows it to a site on
 * its Home Screen alone. `absent`: the browser has no such thing, the site has switched it off, or the chat server is on
 * another origin than the page, which names no worker.
 */
export type PushState = 'on' | 'off' | 'blocked' | 'home' | 'absent';

/**
 * Pushes to this browser, by the worker of the chat server. The settings panel shows `state`, and calls `turnOn` and
 * `turnOff`.
 */
export class BrowserPush implements Follower {
  /** Of this device, as `device:list` has it; undefined until it is registered. */
  id: string | undefined;
  readonly #chat: Chat;
  readonly #changed: () => void;
  readonly #host: Element;
  readonly #open: (message: MessagePlace) => void;
  /** The last piece of work, for which the next one waits: a press may come while the start registers. */
  #work: Promise<unknown> = Promise.resolve();
  /** As it was looked at last: how many messages are unread. */
  #unread: number | undefined;
  /** A look at the notices that is under way. */
  #notices: Promise<Notification[]> | undefined;

  /** @param open - shows that message */
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
    // Outside of the Home Screen an iPhone has neither.
    if (!('PushManager' in window) || typeof Notification === 'undefined')
      return (navigator as { standalone?: boolean }).standalone === false ? 'home' : 'absent';
    if (Notification.permission === 'denied') return 'blocked';
    return this.#isWanted && Notification.permission === 'granted' ? 'on' : 'off';
  }

  /** To be called by a press: the browser asks the user then. @throws if it is not on afterwards */
  turnOn(): Promise<void> {
    // Asked at once, as long as it counts as a press.
    const asked = Notification.requestPermission();
    return this.#next(async () => {
      if ((await asked) !== 'granted') throw new Error('notifications are not allowed');
      await this.#register();
      this.#chat.store?.set(WISH, true);
      turnOff(this.#chat);
    });
  }

  /** @throws if the server does not know yet */
  turnOff(): Promise<void> {
    return this.#next(async () => {
      this.#chat.store?.delete(WISH);
      const { id } = this;
      this.id = undefined;
      await (await this.#subscription())?.unsubscribe();
      if (id !== undefined) await this.#chat.request('device:remove', { id });
    });
  }

  /** At each start: the session may have another id, and the browser another subscription. */
  ready(): void {
    if (this.state === 'absent' || this.state === 'home') return;
    this.#next(async () => {
      if (this.state === 'on') await this.#register();
      // Somebody else has used this browser, or this user has logged out since.
      else if (!this.#isWanted) {
        await (await this.#subscription())?.unsubscribe();
        await this.#closeAll();
      }
      await this.#close(
        ({ room = '', seq = 0 }) => seq <= (this.#chat.rooms.get(room)?.summary.readSeq ?? -1),
      );
      // The next start tries again.
    }).catch(() => {});
  }

  /** With each drawing: when all is read, wherever that was, the icon of an installed site has no number any more. */
  settle(): void {
    const { connection, list } = this.#chat;
    if (connection.state.kind !== 'ready') return;
    const { unread } = list.totals;
    if (unread === this.#unread) return;
    this.#unread = unread;
    if (unread === 0 && this.state === 'on') this.#clearNumber().catch(() => {});
  }

  /** The session is over: what the notices say may be for somebody else's eyes by now. */
  ended(): void {
    this.#next(() => this.#closeAll()).catch(() => {});
  }

  /** The messages of the room's notices are read now. */
  opened({ id }: Room): void {
    this.#close(({ room }) => room === id).catch(() => {});
  }

  /** The room is no more, or not this user's any more. */
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
   * The chat server's worker; where that is on another origin, the one that the page names. A page may use only a worker of
   * its own origin, and over TLS or on this machine alone.
   */
  get #worker(): { address: string; scope: string } | undefined {
    if (!('serviceWorker' in navigator)) return undefined;
    const { server } = this.#chat;
    if (new URL(server).origin === location.origin) return { address: `${server}sw.js`, scope: server };
    const named = this.#host.getAttribute('worker');
    const address = named === null ? null : URL.parse(named, document.baseURI);
    if (address?.origin !== location.origin) return undefined;
    // A scope of its own: the site may have a worker for its pages.
    return { address: address.href, scope: new URL('php-chat/', address).href };
  }

  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#work.then(work, work);
    this.#work = done.catch(() => {});
    return done.finally(() => this.#changed());
  }

  /** Undefined before the worker is registered. The site may have a worker, and subscriptions, of its own. */
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
    if (this.#worker === undefined) throw new Error('the page may use no worker');
    const { address, scope } = this.#worker;
    const registration = await navigator.serviceWorker.register(trusted(address) as string, { scope });
    await activated(registration);
    const answer = await fetch(`${this.#chat.server}push/key`);
    if (!answer.ok) throw new Error('the key for pushes could not be fetched');
    const { key } = (await answer.json()) as { key: string };
    const { pushManager } = registration;
    let subscription = await pushManager.getSubscription();
    // It was made with a key that the site has replaced.
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

  /** Closes the notices about such messages. */
  async #close(isOver: (message: Partial<MessagePlace>) => boolean): Promise<void> {
    // Much may be over at once.
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

  /** Also takes the number from the icon of an installed site. */
  async #closeAll(): Promise<void> {
    await this.#close(() => true);
    await this.#clearNumber();
  }

  async #clearNumber(): Promise<void> {
    // Without this worker the number is the site's own.
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

/** The address of the worker, where the page asks for Trusted Types: its policy has to allow `php-chat`. */
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

/** Only an active worker can subscribe. */
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

/** The public key of a subscription, as the server gives it. */
function keyOf({ options: { applicationServerKey } }: PushSubscription): string {
  const bytes = String.fromCharCode(...new Uint8Array(applicationServerKey ?? new ArrayBuffer()));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** As people call it, such as “Firefox, Windows”. */
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
