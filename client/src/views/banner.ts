import type { Context } from './context.ts';
import { button, h } from './h.ts';
import { type IconName, icon } from './icon.ts';

interface Notice {
  kind: '' | 'warn' | 'bad';
  picture: IconName;
  /** `{s}` stands for the seconds that are left. */
  text: string;
  until?: number;
  retry?: () => void;
}

/** A connection that comes back at once needs no banner. */
const LOST_MS = 1000;
const CONNECTING_MS = 2000;

/** What is wrong with the connection: at most one line, the worst first. */
export class BannerView {
  readonly element = h('div', { class: 'banner', hidden: true });
  readonly #context: Context;
  readonly #seconds = h('span', { class: 'num' });
  #shown = '';

  constructor(context: Context) {
    this.#context = context;
  }

  render(): void {
    const notice = this.#notice();
    this.element.hidden = notice === undefined;
    if (notice === undefined) {
      this.#shown = '';
      return;
    }
    if (notice.until !== undefined) {
      this.#seconds.textContent = String(Math.max(0, Math.ceil((notice.until - Date.now()) / 1000)));
    }
    const shown = `${notice.kind} ${notice.picture} ${notice.text}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.element.className = `banner ${notice.kind}`.trim();
    const [before = '', after] = notice.text.split('{s}');
    const words = h('span', {}, before, ...(after === undefined ? [] : [this.#seconds, after]));
    this.element.replaceChildren(icon(notice.picture), words);
    if (notice.retry !== undefined) {
      const { strings } = this.#context;
      this.element.append(button({ class: 'link' }, notice.retry, strings.text('conn.now')));
    }
  }

  #notice(): Notice | undefined {
    const { chat, strings } = this.#context;
    const { state } = chat.connection;
    const now = Date.now();
    const tryNow = () => chat.connection.tryNow();
    if (state.kind === 'refused') {
      const key = state.cause === 'origin' ? 'conn.origin' : 'conn.invalid';
      return { kind: 'bad', picture: 'alert', text: strings.text(key) };
    }
    const waiting = chat.pending().filter((item) => item.failed === undefined).length;
    if (state.kind !== 'ready' && state.kind !== 'ended' && !navigator.onLine) {
      const text = waiting > 0 ? strings.count('conn.outbox', waiting) : strings.text('conn.offline');
      return { kind: 'warn', picture: 'offline', text };
    }
    if (state.kind === 'connecting') {
      if (now - state.since < CONNECTING_MS) return undefined;
      return { kind: '', picture: 'retry', text: strings.text('conn.connecting') };
    }
    if (state.kind === 'lost') {
      if (now - state.since < LOST_MS) return undefined;
      if (state.retryAt <= now)
        return { kind: 'warn', picture: 'retry', text: strings.text('conn.connecting') };
      const store = state.cause === 'store';
      const text = strings.text(store ? 'conn.store' : 'conn.retry');
      return { kind: 'warn', picture: store ? 'store' : 'retry', text, until: state.retryAt, retry: tryNow };
    }
    if (chat.paused?.code.startsWith('storage_') === true) {
      const retry = () => chat.outbox?.wake();
      return { kind: 'bad', picture: 'store', text: strings.text('conn.storage'), retry };
    }
    return undefined;
  }
}
