import type { JSDOM } from 'jsdom';

/** Observes and replaces the requests of a page by name. */
export interface Wire {
  /** The requests sent, with their payloads. */
  readonly sent: [name: string, payload: unknown][];
  /** The packets received over WebSocket. */
  readonly heard: string[];
  /** Responses that replace the server's. */
  readonly answers: Map<string, object>;
  /** Requests without a response. */
  readonly held: Set<string>;
}

/** What differs between the pages of a window. */
export interface Gaps {
  width: number;
  /** Whether the screen is a touch screen. */
  touch: boolean;
  wire: Wire;
  /** How much time the test let pass, in milliseconds. The server names later times. */
  passed: number;
  readonly cookies: (address: string) => string;
}

/** Adds browser features that jsdom lacks to a window. All elements have the width of the window. */
export function fillGaps(window: JSDOM['window'], gaps: Gaps): void {
  const { Element, HTMLElement, CSSStyleSheet, document, location, navigator } = window;
  const nothing = () => {};
  const media = { addEventListener: nothing, removeEventListener: nothing };
  /** An offline page connects to a closed port. */
  const reached = (address: string | URL) =>
    new URL(navigator.onLine ? address : '//127.0.0.1:9/', new URL(address, location.href)).href;
  const later = (event: MessageEvent): MessageEvent => {
    if (gaps.passed === 0 || typeof event.data !== 'string') return event;
    const data = event.data.replace(/(?<="serverTime":)\d+/, (time) => String(Number(time) + gaps.passed));
    return new window.MessageEvent('message', { data });
  };
  Object.assign(window, {
    WebSocket: class extends window.WebSocket {
      constructor(address: string | URL) {
        super(reached(address));
      }
      // jsdom would dispatch two concurrent messages without settling promises between them, unlike a
      // browser.
      override set onmessage(heard: ((event: MessageEvent) => void) | null) {
        super.onmessage =
          heard &&
          ((event) =>
            void setImmediate(() => {
              if (super.onmessage === null) return;
              gaps.wire.heard.push(String(event.data));
              heard(later(event));
            }));
      }
      override send(packet: string): void {
        const [, id, json = '[]'] = /^42(\d+)(.*)$/s.exec(packet) ?? [];
        const [name, payload] = JSON.parse(json) as [string?, unknown?];
        const { wire } = gaps;
        const answer = wire.answers.get(name ?? '');
        if (name !== undefined) wire.sent.push([name, payload]);
        if (wire.held.has(name ?? '')) return;
        if (answer === undefined) return super.send(packet);
        const data = `43${id}${JSON.stringify([answer])}`;
        this.dispatchEvent(new window.MessageEvent('message', { data }));
      }
    },
    XMLHttpRequest: class extends window.XMLHttpRequest {
      override open(method: string, address: string | URL): void {
        super.open(method, reached(address));
      }
    },
    ClipboardItem: class {
      readonly #data: Record<string, Promise<Blob>>;
      constructor(data: Record<string, Promise<Blob>>) {
        this.#data = data;
      }
      getType(type: string): Promise<Blob> {
        return this.#data[type] ?? Promise.reject(new Error(`no ${type}`));
      }
    },
    matchMedia: (query: string) => ({
      ...media,
      media: query,
      matches: gaps.touch && query === '(pointer: coarse)',
    }),
    ResizeObserver: class {
      readonly #observed: (entries: object[]) => void;
      constructor(observed: (entries: object[]) => void) {
        this.#observed = observed;
      }
      observe(): void {
        queueMicrotask(() => this.#observed([{ contentRect: { width: gaps.width, height: 0 } }]));
      }
      unobserve = nothing;
      disconnect = nothing;
    },
    IntersectionObserver: class {
      observe = nothing;
      unobserve = nothing;
      disconnect = nothing;
    },
    // Node's BroadcastChannel would connect the windows of all users.
    BroadcastChannel: class {
      addEventListener = nothing;
      postMessage = nothing;
      close = nothing;
    },
    structuredClone,
    scrollTo: nothing,
    async fetch(address: string | URL, init: RequestInit = {}) {
      const url = reached(address);
      const headers = { ...init.headers, origin: location.origin, cookie: gaps.cookies(url) };
      return fetch(url, { ...init, headers, signal: null });
    },
  });
  Object.defineProperties(Element.prototype, {
    clientWidth: { get: () => gaps.width },
    // A size, so that the element counts as visible.
    getClientRects: { value: () => [{ width: gaps.width, height: 1 }] },
    checkVisibility: {
      value(this: Element) {
        return this.isConnected && this.closest('[hidden]') === null;
      },
    },
    scrollIntoView: { value: nothing },
    scrollTo: { value: nothing },
  });
  Object.assign(HTMLElement.prototype, { setPointerCapture: nothing, releasePointerCapture: nothing });
  CSSStyleSheet.prototype.replaceSync = nothing;
  document.hasFocus = () => true;
  /** Replaces the selection, which formats and mentions use. */
  document.execCommand = (_command, _ui, text = '') => {
    const field = document.activeElement?.shadowRoot?.activeElement as HTMLTextAreaElement;
    field.setRangeText(text, field.selectionStart, field.selectionEnd, 'end');
    return field.dispatchEvent(new window.InputEvent('input', { bubbles: true, composed: true }));
  };
  for (const [name, value] of Object.entries({ language: 'en-GB', languages: ['en-GB'] }))
    Object.defineProperty(navigator, name, { value });
}
