import type { ConnectFailure } from '../../../server/wire/events.ts';
import { guestKeptMs, isGuest } from '../../../server/wire/guest.ts';
import { number, object, text } from '../chat/form.ts';
import type { Store } from '../chat/storage.ts';

/** The secret identifies the guest to the server. */
interface Guest {
  readonly secret: string;
  readonly name: string;
}

const KEY = 'guest';
const storedForm = object<Guest & { until: number }>({ secret: text, name: text, until: number });

/** The guest identity of a visitor without a login. All tabs of the browser share it. */
export class GuestPass {
  readonly #store: Store;
  /** What visitors may do as guests, from the last `unauthorized` response. Undefined if it offered nothing. */
  offered: ConnectFailure['guests'];
  /** Whether the last attempt sent the guest's secret. */
  #isSent = false;
  /** Set after the server refused the guest, until the next start. */
  #isRefused = false;

  /** @param store - shared by all users of the server in this browser */
  constructor(store: Store) {
    this.#store = store;
  }

  get #guest(): Guest | undefined {
    const stored = this.#store.get(KEY, storedForm);
    return stored === undefined || stored.until < Date.now() ? undefined : stored;
  }

  /** Sets the name of this browser's guest. Creates the guest if there is no guest yet. */
  create(name: string): void {
    this.#keep({ secret: this.#guest?.secret ?? newSecret(), name });
  }

  /** Lets the next attempt send a refused guest again. */
  restart(): void {
    this.#isRefused = false;
  }

  /**
   * Returns the `auth` with the guest, or `polling` for an attempt by polling without the guest. Undefined if there is
   * no guest, or the server refused the guest. Every second attempt is by polling, in case the user logged in on a
   * network that blocks WebSocket.
   *
   * @param failures - the number of failed attempts so far
   */
  auth(failures: number): { guest: string; name: string } | 'polling' | undefined {
    const guest = this.#isRefused ? undefined : this.#guest;
    this.#isSent = guest !== undefined && failures % 2 === 0;
    return guest && (this.#isSent ? { guest: guest.secret, name: guest.name } : 'polling');
  }

  /** Returns whether to connect again after a refusal: at once without the guest, or later with it. */
  refused(code: string | undefined, offered: ConnectFailure['guests']): 'now' | 'later' | undefined {
    if (code === 'unauthorized') this.offered = offered;
    if (this.#isRefused || (code !== 'unauthorized' && code !== 'session_invalid')) return undefined;
    // The server does not accept guests at the moment, or rejects this name.
    this.#isRefused = this.#isSent;
    if (this.#isSent) return 'now';
    return this.#guest === undefined ? undefined : 'later';
  }

  /** The secret of this browser's guest. After a login, call `forget` as soon as it is not needed. */
  get secret(): string | undefined {
    return this.#guest?.secret;
  }

  /** Call when the server admits a user. Keeps a guest for another 30 days. */
  admitted(user: string): void {
    if (!isGuest(user)) return;
    const guest = this.#guest;
    if (guest !== undefined) this.#keep(guest);
  }

  forget(): void {
    this.#store.delete(KEY);
  }

  #keep(guest: Guest): void {
    this.#store.set(KEY, { ...guest, until: Date.now() + guestKeptMs });
  }
}

/** Returns 32 random bytes in base64url. */
function newSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace('=', '');
}
