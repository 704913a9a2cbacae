import type { User } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Strings } from '../../strings/strings.ts';
import { Icon } from './icon.tsx';

const SHOWN_MS = 6000;

/** A button of a notice. */
interface Press {
  readonly label: string;
  /** The offer ends then, and the notice with it. */
  readonly until?: number;
  /** It cannot be done now, and is not offered. */
  over?(): boolean;
  run(): void;
}

/**
 * Shows a single short notice at a time; it stays while it is pointed at, holds the focus, or offers to try
 * again.
 */
export class Toasts implements Follower {
  readonly #chat: { readonly me: User | undefined };
  readonly #strings: Strings;
  readonly #changed: () => void;
  #shown: { text: string; kind: 'good' | 'bad'; press: Press | undefined } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The user who was here last. */
  #user: string | undefined;

  constructor(chat: { readonly me: User | undefined }, strings: Strings, changed: () => void) {
    this.#chat = chat;
    this.#strings = strings;
    this.#changed = changed;
  }

  /** @param press - offers to try again what failed, or to take back what was done */
  show(text: string, kind: 'good' | 'bad', press?: Press): void {
    this.#shown = { text, kind, press };
    this.#countDown();
    this.#changed();
  }

  readonly clear = () => {
    clearTimeout(this.#timer);
    this.#shown = undefined;
    this.#changed();
  };

  /** A request that the end of a session has cut off fails after it: to try it again is not for the next user. */
  ready(): void {
    const user = this.#chat.me?.id;
    if (user !== this.#user) this.clear();
    this.#user = user;
  }

  /** A user who goes on has seen that something succeeded, and may need the place below the notice. */
  goodNewsIsOld(): void {
    if (this.#shown?.kind === 'good') this.clear();
  }

  draw() {
    const toast = this.#shown?.press?.over?.() === true ? undefined : this.#shown;
    return (
      <div
        class="toasts"
        aria-live="polite"
        onPointerEnter={this.#stay}
        onFocusIn={this.#stay}
        onPointerLeave={this.#countDown}
        onFocusOut={this.#countDown}
      >
        {toast !== undefined && (
          <div class={`toast ${toast.kind}`}>
            <Icon name={toast.kind === 'good' ? 'check' : 'alert'} />
            <span>{toast.text}</span>
            {toast.press !== undefined && (
              <button type="button" class="link" onClick={this.#press}>
                {toast.press.label}
              </button>
            )}
            <button
              type="button"
              class="icon"
              aria-label={this.#strings.text('common.dismiss')}
              onClick={this.clear}
            >
              <Icon name="close" />
            </button>
          </div>
        )}
      </div>
    );
  }

  readonly #press = () => {
    const press = this.#shown?.press;
    this.clear();
    press?.run();
  };

  readonly #stay = () => {
    if (this.#shown?.press?.until === undefined) clearTimeout(this.#timer);
  };

  readonly #countDown = () => {
    clearTimeout(this.#timer);
    const until = this.#shown?.press?.until;
    if (until !== undefined) this.#timer = setTimeout(this.clear, until - Date.now());
    // An error that can be tried again stays until it is.
    else if (this.#shown !== undefined && (this.#shown.kind === 'good' || this.#shown.press === undefined))
      this.#timer = setTimeout(this.clear, SHOWN_MS);
  };
}
