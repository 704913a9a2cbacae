import { type Change, type Field, type Format, newLine, toggle } from '../../text/editing.ts';
import { composes, confirms } from '../../text/keys.ts';
import type { Context } from '../context.ts';
import { frameAround } from '../controls/frame.ts';
import { Icon } from '../controls/icon.tsx';
import { isApple } from '../controls/modifier-keys.ts';
import type { pictures } from '../controls/pictures.ts';

const GAP = 6;
const buttons: readonly (Format & keyof typeof pictures)[] = ['bold', 'italic', 'code', 'quote', 'list'];
const keys: Readonly<Record<string, Format>> = { b: 'bold', i: 'italic', e: 'code' };

/** Formats the selection in the composer: a bar above it, shortcut keys, and lists that continue on a new line. */
export class FormatBar {
  readonly #context: Pick<Context, 'strings' | 'touch' | 'changed'>;
  readonly #root: ShadowRoot;
  #field: HTMLTextAreaElement | undefined;

  constructor(
    context: Pick<Context, 'strings' | 'touch' | 'changed'>,
    root: ShadowRoot,
    signal: AbortSignal,
  ) {
    this.#context = context;
    this.#root = root;
    root.addEventListener('keydown', this.#key, { signal });
    // Not every browser fires `selectionchange` for a text field.
    for (const type of ['select', 'input', 'keyup', 'pointerup', 'focusin', 'focusout'])
      root.addEventListener(type, this.#look, { signal });
    document.addEventListener('selectionchange', this.#look, { signal });
    // Text may already be selected.
    this.#look();
  }

  draw() {
    if (this.#field === undefined) return undefined;
    const { strings } = this.#context;
    return (
      <div class="fmt" role="toolbar" aria-label={strings.text('format.bar')} ref={this.#place}>
        {buttons.map((format) => (
          <button
            type="button"
            class="icon"
            key={format}
            tabIndex={-1}
            aria-label={strings.text(`format.${format}`)}
            // Keeps the selection.
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => this.#format(format)}
          >
            <Icon name={format} />
          </button>
        ))}
      </div>
    );
  }

  readonly #look = () => {
    const field = this.#active();
    const shown = field !== undefined && field.selectionStart < field.selectionEnd ? field : undefined;
    if (shown === this.#field) return;
    this.#field = shown;
    this.#context.changed();
  };

  readonly #key = (event: Event) => {
    const field = this.#active();
    if (field === undefined || !(event instanceof KeyboardEvent) || composes(event)) return;
    if (event.defaultPrevented || event.altKey) return;
    const command = isApple ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
    const format = command && !event.shiftKey ? keys[event.key.toLowerCase()] : undefined;
    let change: Change | undefined;
    if (format !== undefined) change = toggle(fieldOf(field), format);
    else if (confirms(event) && !event.ctrlKey && !event.metaKey) change = newLine(fieldOf(field));
    if (change === undefined) return;
    event.preventDefault();
    apply(change, field);
  };

  #format(format: Format): void {
    if (this.#field === undefined) return;
    apply(toggle(fieldOf(this.#field), format), this.#field);
  }

  /** Returns the composer's field if it has the focus. */
  #active(): HTMLTextAreaElement | undefined {
    const { activeElement } = this.#root;
    const writing = activeElement instanceof HTMLTextAreaElement && !activeElement.readOnly;
    return writing && activeElement.closest('.composer') !== null ? activeElement : undefined;
  }

  /** Places the bar above the field, at its start. */
  readonly #place = (bar: HTMLElement | null) => {
    const field = this.#field;
    if (bar === null || field === undefined) return;
    const { top, left, right } = frameAround(bar).boxOf(field.closest('.field') ?? field);
    bar.style.insetBlockStart = `${top - GAP - bar.offsetHeight}px`;
    const start = getComputedStyle(field).direction === 'rtl' ? right - bar.offsetWidth : left;
    bar.style.left = `${start}px`;
  };
}

const fieldOf = ({ value, selectionStart, selectionEnd }: HTMLTextAreaElement): Field => ({
  value,
  start: selectionStart,
  end: selectionEnd,
});

/** Changes the text of a field as if it were typed. */
export function apply({ from, to, text, start, end }: Change, field: HTMLTextAreaElement): void {
  field.setSelectionRange(from, to);
  // Only `execCommand` keeps the undo keys working.
  const done = document.execCommand(text === '' ? 'delete' : 'insertText', false, text);
  if (!done) {
    field.setRangeText(text, from, to);
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }
  field.setSelectionRange(start, end);
}
