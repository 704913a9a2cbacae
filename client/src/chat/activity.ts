import type { RequestError } from '../connection/connection-state.ts';
import type { Strings } from '../strings/strings.ts';
import type { Chat } from './chat.ts';
import type { Follower } from './chat-listener.ts';
import { ownZone } from './time-zone.ts';

const REPEAT_MS = 30_000;
const ACTS = ['keydown', 'pointerdown', 'pointermove', 'touchstart'];
/** A site may name its language as no browser does. The server takes what `language` in wire/events.ts says. */
const LONGEST_TAG = 16;
const TAG = /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$/;

/**
 * Says that the user is here, so that nothing is mailed or pushed meanwhile: for a key, a pointer or a touch while the
 * chat is visible, where the site notifies people who are away.
 */
export class Activity implements Follower {
  readonly #chat: Chat;
  readonly #strings: Strings;
  readonly #host: Element;
  #said = Number.NEGATIVE_INFINITY;
  /** The server does not know the zone and the language yet. */
  #fresh = true;

  constructor(chat: Chat, strings: Strings, host: Element, signal: AbortSignal) {
    this.#chat = chat;
    this.#strings = strings;
    this.#host = host;
    for (const act of ACTS) addEventListener(act, this.#acted, { signal, passive: true, capture: true });
  }

  ready(): void {
    this.#fresh = true;
  }

  readonly #acted = () => {
    const { can, connection } = this.#chat;
    if (!can.mail && !can.push) return;
    if (performance.now() - this.#said < REPEAT_MS || connection.state.kind !== 'ready') return;
    if (document.hidden || !this.#host.checkVisibility()) return;
    this.#said = performance.now();
    const zone = ownZone();
    const { lang } = this.#strings;
    const named = this.#fresh && TAG.test(lang) && lang.length <= LONGEST_TAG ? { lang } : {};
    const about = this.#fresh && zone !== undefined ? { zone, ...named } : named;
    this.#fresh = false;
    this.#chat.request('client:active', about).catch(({ code }: RequestError) => {
      // A server may know fewer zones than a browser of today. The act counts all the same.
      if (code === 'bad_request' && 'zone' in about)
        this.#chat.request('client:active', named).catch(() => {});
      else this.#fresh = true;
    });
  };
}
