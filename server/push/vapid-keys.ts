import type { History, StoredVapidKey } from '../history/history.ts';
import type { Sealing } from './sealing.ts';
import { drawVapidKey, type VapidKey, vapidKeyOf } from './vapid.ts';

/** How long the key list is cached, in milliseconds. It expires, because another server may add an older key. */
const listedFor = 60_000;

const placeOf = (id: string) => `vapid ${id}`;

/**
 * The VAPID keys of this chat, the same on all servers. Browsers subscribe with the oldest key that can be decrypted.
 * Newer keys remain for the subscriptions that were made with them.
 */
export class VapidKeys {
  readonly #history: Pick<History, 'read' | 'write'>;
  readonly #sealing: Sealing;
  #listed: { until: number; keys: Promise<readonly VapidKey[]> } | undefined;

  constructor(history: Pick<History, 'read' | 'write'>, sealing: Sealing) {
    this.#history = history;
    this.#sealing = sealing;
  }

  /** Returns the key that browsers must use to subscribe. Creates it on first use. */
  async current(): Promise<VapidKey> {
    const [oldest] = await this.#list();
    if (oldest !== undefined) return oldest;
    const bytes = drawVapidKey();
    const { public: id } = vapidKeyOf(bytes);
    const sealed = this.#sealing.seal(placeOf(id), { private: bytes.toString('base64url') });
    await this.#history.write.addVapidKey({ id, sealed, at: Date.now() });
    this.#listed = undefined;
    // Another server may have added an older key at the same time.
    const [made] = await this.#list();
    if (made === undefined) throw new Error('the new key for push services was not stored');
    return made;
  }

  /** Returns the key with this ID; undefined if this chat does not have it or can no longer decrypt it. */
  async of(id: string): Promise<VapidKey | undefined> {
    const isIt = (key: VapidKey) => key.public === id;
    const found = (await this.#list()).find(isIt);
    if (found !== undefined) return found;
    // Another server may have added the key since.
    this.#listed = undefined;
    return (await this.#list()).find(isIt);
  }

  #list(): Promise<readonly VapidKey[]> {
    const now = performance.now();
    if (this.#listed === undefined || now >= this.#listed.until) {
      const keys = this.#history.read
        .vapidKeys(null)
        .then((stored) => stored.flatMap((key) => this.#open(key)));
      const listed = { until: now + listedFor, keys };
      keys.catch(() => {
        if (this.#listed === listed) this.#listed = undefined;
      });
      this.#listed = listed;
    }
    return this.#listed.keys;
  }

  #open({ id, sealed }: StoredVapidKey): VapidKey[] {
    const opened = this.#sealing.open(placeOf(id), sealed) as { private: string } | null;
    return opened === null ? [] : [vapidKeyOf(Buffer.from(opened.private, 'base64url'))];
  }
}
