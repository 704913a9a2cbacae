import { Component, type ComponentChildren, createRef } from 'preact';
import { composes, confirms } from '../../text/keys.ts';
import type { ControlContext } from '../context.ts';
import { Icon } from './icon.tsx';

interface Props {
  readonly context: ControlContext;
  readonly title: string;
  /** Number of items, shown after the title. */
  readonly count?: number;
  /** A confirmation. It has no fields, so the focus starts on the button that cancels. */
  readonly ask?: boolean;
  /** Whether it is a sheet at the bottom of a phone, instead of covering the phone. */
  readonly low?: boolean;
  /** The user typed something, so Esc and a click outside must not close the dialog. */
  readonly typed?: boolean;
  /** The error message above the fields. */
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

/** State of the dialog before an update. */
interface Before {
  readonly hadFocus: boolean;
  /** It already showed an error. */
  readonly wrong: boolean;
}

/** Marks the control that opened another dialog instead of this one. It gets the focus when this dialog returns. */
export const opener = (is: boolean) => ({ 'data-opener': is || undefined });

/** A dialog within the element. Everything below it is inert. */
export class Dialog extends Component<Props> {
  readonly #dialog = createRef<HTMLDivElement>();
  #pressed = false;

  override componentDidMount(): void {
    const dialog = this.#dialog.current;
    (
      dialog?.querySelector<HTMLElement>('[data-opener]') ?? dialog?.querySelector<HTMLElement>(FIELDS)
    )?.focus();
  }

  /** Lets the dialog become no smaller, because its buttons would move under the pointer. */
  override getSnapshotBeforeUpdate(): Before {
    const dialog = this.#dialog.current as HTMLElement;
    dialog.style.minBlockSize = `min(100%, ${getComputedStyle(dialog).blockSize})`;
    return { hadFocus: this.#active !== null, wrong: this.#find(WRONG) !== undefined };
  }

  /** Keeps the focus in the dialog. When an error appears, moves it to the field to correct. */
  override componentDidUpdate(_props: Props, _state: unknown, { hadFocus, wrong }: Before): void {
    if (!hadFocus) return;
    if (!wrong && this.#find(WRONG) !== undefined) (this.#find(INVALID) ?? this.#find(TYPED))?.focus();
    // The focused button may have been removed with its list row.
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

  override render({ context, title, count = 0, ask, low, problem, again, actions, children }: Props) {
    return (
      // biome-ignore lint/a11y/noStaticElementInteractions: keyboard users press Esc.
      // biome-ignore lint/a11y/useKeyWithClickEvents: keyboard users press Esc.
      <div
        class="veil around"
        onPointerDown={(event) => {
          this.#pressed = event.target === event.currentTarget;
        }}
        // Keeps the focus in a text field.
        onMouseDown={(event) => event.target === event.currentTarget && event.preventDefault()}
        onClick={(event) => this.#pressed && event.target === event.currentTarget && this.#leave()}
      >
        {/* biome-ignore lint/a11y/noStaticElementInteractions: both roles are dialogs. */}
        {/* biome-ignore lint/a11y/useAriaPropsSupportedByRole: both roles are dialogs. */}
        <div
          class={ask ? 'dialog ask' : low ? 'dialog low' : 'dialog'}
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
    if (event.defaultPrevented || composes(event)) return;
    if (event.key === 'Escape') this.#leave();
    else if (confirms(event) && event.target instanceof HTMLInputElement) this.props.submit();
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
  /** The ID of the field that Enter leads to. Without it, Enter submits the dialog. */
  readonly next?: string | undefined;
  typed(value: string): void;
}

/** A text field with its label above and its error below. */
export function TextField({ id, label, optional, value, readOnly, error, next, typed }: FieldProps) {
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
        onKeyDown={(event) => {
          if (next === undefined || !confirms(event)) return;
          event.preventDefault();
          (event.currentTarget.getRootNode() as ShadowRoot).getElementById(next)?.focus();
        }}
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
