import { Component, type ComponentChildren, createRef } from 'preact';
import type { ControlContext } from '../context.ts';
import { Icon } from './icon.tsx';

interface Props {
  readonly context: ControlContext;
  readonly title: string;
  /** How many things there are in it. */
  readonly count?: number;
  /** A question: it has no fields, and begins with the harmless answer. */
  readonly ask?: boolean;
  /** Something was typed, which a stray press must not lose. */
  readonly typed?: boolean;
  /** The cause of a failure, above the fields. */
  readonly problem?: string | undefined;
  readonly again?: (() => void) | undefined;
  /** The buttons at the end. */
  readonly actions: ComponentChildren;
  readonly children: ComponentChildren;
  submit(): void;
  close(): void;
}

const FIELDS = 'input, textarea, .acts button';
const TYPED = 'input:not([type="radio"]), textarea';
const INVALID = '[aria-invalid="true"]';
const WRONG = `${INVALID}, .problem`;

/** The dialog before it is drawn again. */
interface Before {
  readonly hadFocus: boolean;
  /** It says already that something is wrong. */
  readonly wrong: boolean;
}

/** Marks what has opened another dialog in place of this one: the focus returns there. */
export const opener = (is: boolean) => ({ 'data-opener': is || undefined });

/** A dialog within the element: what is below it is inert. */
export class Dialog extends Component<Props> {
  readonly #dialog = createRef<HTMLDivElement>();
  #pressed = false;

  override componentDidMount(): void {
    const dialog = this.#dialog.current;
    (
      dialog?.querySelector<HTMLElement>('[data-opener]') ?? dialog?.querySelector<HTMLElement>(FIELDS)
    )?.focus();
  }

  override getSnapshotBeforeUpdate(): Before {
    return { hadFocus: this.#active !== null, wrong: this.#find(WRONG) !== undefined };
  }

  /** The focus stays in the dialog, and goes to the field that is to be mended when something is refused. */
  override componentDidUpdate(_props: Props, _state: unknown, { hadFocus, wrong }: Before): void {
    if (!hadFocus) return;
    if (!wrong && this.#find(WRONG) !== undefined) (this.#find(INVALID) ?? this.#find(TYPED))?.focus();
    // The button that had it may be gone, with its line of a list.
    if (this.#active === null) this.#find('.body button, .acts button')?.focus();
  }

  #find(selector: string): HTMLElement | undefined {
    return this.#dialog.current?.querySelector<HTMLElement>(selector) ?? undefined;
  }

  get #active(): Element | null {
    const root = this.#dialog.current?.getRootNode();
    const active = root instanceof ShadowRoot ? root.activeElement : null;
    return active?.closest('[aria-modal]') ?? null;
  }

  override render({ context, title, count = 0, ask = false, problem, again, actions, children }: Props) {
    return (
      // biome-ignore lint/a11y/noStaticElementInteractions: the keyboard has Esc for it.
      // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard has Esc for it.
      <div
        class="veil around"
        onPointerDown={(event) => {
          this.#pressed = event.target === event.currentTarget;
        }}
        // A field that was typed in keeps the focus.
        onMouseDown={(event) => event.target === event.currentTarget && event.preventDefault()}
        onClick={(event) => this.#pressed && event.target === event.currentTarget && this.#leave()}
      >
        {/* biome-ignore lint/a11y/noStaticElementInteractions: it is a dialog, in either case. */}
        {/* biome-ignore lint/a11y/useAriaPropsSupportedByRole: it is a dialog, in either case. */}
        <div
          class={ask ? 'dialog ask' : 'dialog'}
          role={ask ? 'alertdialog' : 'dialog'}
          aria-modal="true"
          aria-labelledby="dialog-title"
          ref={this.#dialog}
          onKeyDown={this.#key}
        >
          <h2 id="dialog-title">
            {title}
            {count > 0 && <small>{count}</small>}
          </h2>
          <div class="body">
            {problem !== undefined && (
              <div class="problem" role="alert">
                <Icon name="alert" />
                <span>{problem}</span>
                {again !== undefined && (
                  <button type="button" class="link" onClick={again}>
                    {context.strings.text('common.again')}
                  </button>
                )}
              </div>
            )}
            {children}
          </div>
          <div class="acts">{actions}</div>
        </div>
      </div>
    );
  }

  #leave(): void {
    if (this.props.typed !== true) this.props.close();
  }

  readonly #key = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Escape') this.#leave();
    else if (event.key === 'Enter' && event.target instanceof HTMLInputElement) this.props.submit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

interface FieldProps {
  readonly id: string;
  readonly label: string;
  readonly optional?: string;
  readonly value: string;
  readonly readOnly: boolean;
  readonly error?: string | undefined;
  typed(value: string): void;
}

/** A line of text with its name above, and what is wrong with it below. */
export function TextField({ id, label, optional, value, readOnly, error, typed }: FieldProps) {
  return (
    <>
      <label class="label" for={id}>
        {label}
        {optional !== undefined && <small> · {optional}</small>}
      </label>
      <input
        class="input"
        id={id}
        value={value}
        readOnly={readOnly}
        autocomplete="off"
        aria-invalid={error !== undefined || undefined}
        aria-describedby={error === undefined ? undefined : `${id}-error`}
        onInput={(event) => typed(event.currentTarget.value)}
      />
      {error !== undefined && <Problem id={`${id}-error`} text={error} />}
    </>
  );
}

export function Problem({ id, text }: { id: string; text: string }) {
  return (
    <p class="hint bad" id={id}>
      <Icon name="alert" size="s" />
      {text}
    </p>
  );
}
