import type { User } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Strings } from '../../strings/strings.ts';
import { Icon, IconButton } from './icon.tsx';

const SHOWN_MS = 6000;

/** The button of a toast. */
interface Press {
  readonly label: string;
  /** Unix time in ms at which the toast closes. */
  readonly until?: number;
  /** While it returns true, the toast is hidden because its action is not possible. */
  over?(): boolean;
  run(): void;
}

/**
 * Shows one toast at a time. Without `until`, it stays while it is hovered or focused, and if it is an error that
 * offers a retry.
 */
export class Toasts implements Follower {
  readonly #chat: { readonly me: User | undefined };
  readonly #strings: Strings;
  readonly #changed: () => void;
  #shown: { text: string; kind: 'good' | 'bad'; press: Press | undefined } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The user of the previous connection. */
  #user: string | undefined;

  constructor(chat: { readonly me: User | undefined }, strings: Strings, changed: () => void) {
    this.#chat = chat;
    this.#strings = strings;
    this.#changed = changed;
  }

  /** @param press - retries a failed action or undoes an action */
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

  /** A request that the end of a session interrupted fails later. The next user must not be offered a retry. */
  ready(): void {
    const user = this.#chat.me?.id;
    if (user !== this.#user) this.clear();
    this.#user = user;
  }

  /**
   * Closes a success toast, because the user has continued and may need the space below it. An offer with an end, such
   * as Undo, stays until then.
   */
  goodNewsIsOld(): void {
    if (this.#shown?.kind === 'good' && this.#shown.press?.until === undefined) this.clear();
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
            <IconButton name="close" label={this.#strings.text('common.dismiss')} press={this.clear} />
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
    if (until !== undefined) this.#timer = setTimeout(this.clear, until - performance.now());
    // An error with a retry stays until the user retries or closes it.
    else if (this.#shown !== undefined && (this.#shown.kind === 'good' || this.#shown.press === undefined))
      this.#timer = setTimeout(this.clear, SHOWN_MS);
  };
}
