import type { RequestError } from '../connection/connection-state.ts';
import type { Strings } from '../strings/strings.ts';
import type { Chat } from './chat.ts';
import type { Follower } from './chat-listener.ts';
import { ownZone } from './time-zone.ts';

const REPEAT_MS = 30_000;
const ACTS = ['keydown', 'pointerdown', 'pointermove', 'touchstart'];
/** A site may set any `lang`, so the tag is checked first. The limits match `language` in wire/events.ts. */
const LONGEST_TAG = 16;
const TAG = /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$/;

/**
 * Reports the user's activity, so that an active user gets no mail or push. Activity is a key, pointer or touch event
 * while the chat is visible. Nothing is reported if the site sends neither mail nor push.
 */
export class Activity implements Follower {
  readonly #chat: Chat;
  readonly #strings: Strings;
  readonly #host: Element;
  #said = Number.NEGATIVE_INFINITY;
  /** True until this connection has sent the time zone and the language. */
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
      // The server may not support a zone of a current browser. The request without it still counts as activity.
      if (code === 'bad_request' && 'zone' in about)
        this.#chat.request('client:active', named).catch(() => {});
      else this.#fresh = true;
    });
  };
}
