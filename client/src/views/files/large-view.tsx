import { Component, createRef } from 'preact';
import type { MessageFile } from '../../../../server/wire/events.ts';
import type { Entry } from '../../store/entries.ts';
import { scaleOf } from '../box.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { addressOf } from './address.ts';
import { calm, moves } from './picture.tsx';

const LARGEST = 4;
/** A touch that moves by this distance shows another picture, in CSS pixels. */
const SWIPE = 50;

interface Shown {
  readonly context: Context;
  readonly entry: Entry;
  readonly pictures: readonly MessageFile[];
  /** Index of the picture to show first. */
  readonly at: number;
  /** Gets the focus back. */
  readonly opener: HTMLElement;
}

/** Shows the pictures of a message over the whole window. */
export function openLargeView(shown: Shown): void {
  const { context, opener } = shown;
  const close = () => {
    context.layer();
    opener.focus();
  };
  context.layer(() => <LargeView {...shown} close={close} />);
}

interface Place {
  readonly x: number;
  readonly y: number;
}

interface View {
  at: number;
  scale: number;
  x: number;
  y: number;
}

const whole = { scale: 1, x: 0, y: 0 };

class LargeView extends Component<Shown & { close(): void }, View> {
  readonly #dialog = createRef<HTMLDialogElement>();
  /** Positions of the pressed fingers or the mouse, by pointer ID. */
  readonly #down = new Map<number, Place>();
  #began: Place | undefined;
  /** Where the press began. Dragging a picture beyond its edge must not close the view. */
  #pressed: EventTarget | null = null;

  constructor(props: Shown & { close(): void }) {
    super(props);
    this.state = { at: props.at, ...whole };
  }

  override componentDidMount(): void {
    this.#dialog.current?.showModal();
  }

  override render({ context, entry, pictures, close }: Shown & { close(): void }) {
    const { strings, chat } = context;
    const { at, scale, x, y } = this.state;
    const file = pictures[at];
    if (file === undefined) return null;
    const address = addressOf(chat, file);
    const count = { n: at + 1, total: pictures.length };
    const nav = (by: 1 | -1, name: 'previous' | 'next') => (
      <button
        type="button"
        class="icon"
        aria-label={strings.text(`view.${name}`)}
        title={strings.text(`view.${name}`)}
        disabled={pictures[at + by] === undefined}
        onClick={() => this.#go(by)}
      >
        <Icon name={by < 0 ? 'back' : 'forth'} />
      </button>
    );
    return (
      <dialog
        class="lightbox"
        aria-label={strings.text('view.title', count)}
        // Keeps the focus in the dialog after a click, so that it gets the keys.
        tabIndex={-1}
        ref={this.#dialog}
        onClose={close}
        onKeyDown={this.#key}
      >
        <div class="bar">
          <h2>
            <bdi>{strings.name(entry.user)}</bdi>
            <small>{strings.time(entry.sentAt)}</small>
          </h2>
          <a
            class="icon"
            href={address}
            download={file.name}
            aria-label={strings.text('view.save')}
            title={strings.text('view.save')}
          >
            <Icon name="save" />
          </a>
          <a
            class="icon"
            href={address}
            target="_blank"
            rel="noopener noreferrer"
            aria-label={strings.text('view.tab')}
            title={strings.text('view.tab')}
          >
            <Icon name="outside" />
          </a>
          <button
            type="button"
            class="icon"
            aria-label={strings.text('common.close')}
            title={strings.text('common.close')}
            onClick={close}
          >
            <Icon name="close" />
          </button>
        </div>
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: keyboard users press Esc. */}
        <figure
          onClick={({ target, currentTarget }) =>
            target === currentTarget && this.#pressed === target && close()
          }
          onWheel={this.#wheel}
          onDblClick={() => this.setState(scale > 1 ? whole : { scale: 2 })}
          onPointerDown={this.#press}
          onPointerMove={this.#move}
          onPointerUp={this.#lift}
          onPointerCancel={this.#lift}
        >
          <img
            key={file.id}
            // Before `src`, otherwise the browser requests the picture twice.
            crossorigin="use-credentials"
            src={addressOf(chat, file, moves(file) && calm() ? 'preview' : undefined)}
            alt={file.alt ?? file.name}
            draggable={false}
            style={{ transform: `translate(${x}px, ${y}px) scale(${scale})` }}
          />
          {pictures.length > 1 && (
            <div class="nav">
              {nav(-1, 'previous')}
              {nav(1, 'next')}
            </div>
          )}
        </figure>
        <p class="caption">
          <bdi>{file.alt ?? file.name}</bdi>
          {pictures.length > 1 && ` · ${strings.text('view.count', count)}`}
        </p>
      </dialog>
    );
  }

  get #isMirrored(): boolean {
    const dialog = this.#dialog.current;
    return dialog !== null && getComputedStyle(dialog).direction === 'rtl';
  }

  #go(by: 1 | -1): void {
    const at = this.state.at + by;
    if (this.props.pictures[at] === undefined) return;
    this.setState({ at, ...whole }, () => {
      const dialog = this.#dialog.current;
      const root = dialog?.getRootNode();
      // The button is disabled at the first and the last picture. A disabled button does not get keys.
      if (root instanceof ShadowRoot && root.activeElement?.matches(':disabled'))
        dialog?.querySelector<HTMLElement>('.nav :enabled')?.focus();
    });
  }

  readonly #key = (event: KeyboardEvent) => {
    // Keeps all keys from the views below.
    event.stopPropagation();
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    this.#go((event.key === 'ArrowRight') !== this.#isMirrored ? 1 : -1);
  };

  #zoom(by: number): void {
    const scale = Math.min(LARGEST, Math.max(1, this.state.scale * by));
    this.setState(scale === 1 ? whole : { scale });
  }

  readonly #wheel = (event: WheelEvent) => {
    event.preventDefault();
    this.#zoom(Math.exp(-event.deltaY / 300));
  };

  readonly #press = ({ pointerId, target, clientX: x, clientY: y }: PointerEvent) => {
    this.#pressed = target;
    this.#down.set(pointerId, { x, y });
    this.#began = this.#down.size === 1 ? { x, y } : undefined;
  };

  readonly #move = ({ pointerId, buttons, clientX: x, clientY: y, currentTarget }: PointerEvent) => {
    // The mouse button was released outside the window.
    if (buttons === 0) this.#down.delete(pointerId);
    const before = this.#down.get(pointerId);
    if (before === undefined) return;
    const [other] = [...this.#down].flatMap(([id, place]) => (id === pointerId ? [] : [place]));
    this.#down.set(pointerId, { x, y });
    if (other !== undefined) {
      this.#zoom(distance({ x, y }, other) / Math.max(1, distance(before, other)));
    } else if (this.state.scale > 1) {
      const scale = currentTarget instanceof HTMLElement ? scaleOf(currentTarget) : 1;
      this.setState({
        x: this.state.x + (x - before.x) / scale,
        y: this.state.y + (y - before.y) / scale,
      });
    }
  };

  readonly #lift = ({ pointerId, clientX, pointerType }: PointerEvent) => {
    this.#down.delete(pointerId);
    const moved = this.#began === undefined || this.state.scale > 1 ? 0 : clientX - this.#began.x;
    if (pointerType === 'touch' && Math.abs(moved) >= SWIPE)
      this.#go(moved < 0 !== this.#isMirrored ? 1 : -1);
    this.#began = undefined;
  };
}

const distance = (a: Place, b: Place) => Math.hypot(a.x - b.x, a.y - b.y);
