import type { Strings } from '../../strings/strings.ts';
import { Icon } from './icon.tsx';

const SHOWN_MS = 6000;

/**
 * Shows a single short notice at a time; it stays while it is pointed at, holds the focus, or has something to
 * press.
 */
export class Toasts {
  readonly #strings: Strings;
  readonly #changed: () => void;
  #shown: { text: string; kind: 'good' | 'bad'; again: (() => void) | undefined } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(strings: Strings, changed: () => void) {
    this.#strings = strings;
    this.#changed = changed;
  }

  /** @param again - offers to try again what failed */
  show(text: string, kind: 'good' | 'bad', again?: () => void): void {
    this.#shown = { text, kind, again };
    this.#countDown();
    this.#changed();
  }

  readonly clear = () => {
    this.#stay();
    this.#shown = undefined;
    this.#changed();
  };

  /** A user who goes on has seen that something succeeded, and may need the place below the notice. */
  goodNewsIsOld(): void {
    if (this.#shown?.kind === 'good') this.clear();
  }

  draw() {
    const toast = this.#shown;
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
            {toast.again !== undefined && (
              <button type="button" class="link" onClick={this.#again}>
                {this.#strings.text('common.again')}
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

  readonly #again = () => {
    const again = this.#shown?.again;
    this.clear();
    again?.();
  };

  readonly #stay = () => clearTimeout(this.#timer);

  readonly #countDown = () => {
    this.#stay();
    if (this.#shown !== undefined && this.#shown.again === undefined)
      this.#timer = setTimeout(this.clear, SHOWN_MS);
  };
}
