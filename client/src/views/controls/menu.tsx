import { Component, type ComponentChildren, createRef } from 'preact';
import type { ControlContext } from '../context.ts';
import { Icon, type IconName } from './icon.tsx';

export interface MenuItem {
  readonly picture: IconName;
  readonly label: string;
  /** The key that does the same without the menu. */
  readonly key?: string;
  /** A line stands above it. */
  readonly apart?: boolean;
  /** It takes something away. */
  readonly bad?: boolean;
  run(): void;
}

/** One of a few that stand beside each other above the items. */
export interface QuickPick {
  readonly emoji: string;
  /** The text, where the item is no emoji. */
  readonly label?: string;
  run(): void;
}

interface Props {
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly picks?: readonly QuickPick[] | undefined;
  /** The subject of the menu, above the items. */
  readonly about?: ComponentChildren;
  /** The element that the menu stands beside. */
  readonly beside: Element;
  /** At least so wide. */
  readonly width?: number | undefined;
  readonly sheet: boolean;
  close(): void;
  /** It is not shown any more, whatever has closed it. */
  closed(): void;
}

/** Opens a menu beside its opener, or as a sheet from below on a touch screen; the focus comes back to the opener. */
export function openMenu(
  context: ControlContext,
  opener: HTMLElement,
  menu: Omit<Props, 'beside' | 'sheet' | 'close' | 'closed'> & { beside?: Element | null },
): void {
  // The key may have been pressed on the opener itself, such as a message, which does not expand.
  const expanded = (value: boolean) =>
    opener.hasAttribute('aria-haspopup') && opener.setAttribute('aria-expanded', String(value));
  const message = opener.closest<HTMLElement>('.msg');
  const closed = () => expanded(false);
  const close = () => {
    closed();
    opener.focus();
    // A message shows its buttons while it is pointed at: hidden, they take no focus.
    if (!opener.matches(':focus')) message?.focus({ preventScroll: true });
    context.layer();
  };
  expanded(true);
  const sheet = context.touch();
  context.layer(() => (
    <Menu {...menu} beside={menu.beside ?? opener} sheet={sheet} close={close} closed={closed} />
  ));
}

class Menu extends Component<Props> {
  readonly #menu = createRef<HTMLDivElement>();
  /** The finger that opened the sheet is still to be lifted: only a new press chooses or closes. */
  #pressed = false;

  override componentDidMount(): void {
    const menu = this.#menu.current;
    if (menu === null) return;
    if (!this.props.sheet) place(menu, this.props.beside);
    menu.querySelector<HTMLElement>('[role=menuitem]')?.focus();
  }

  override componentWillUnmount(): void {
    this.props.closed();
  }

  /** The chat may have another size, and the opener another place. */
  override componentDidUpdate(): void {
    const menu = this.#menu.current;
    if (menu !== null && !this.props.sheet) place(menu, this.props.beside);
  }

  override render({ label, items, picks, about, sheet, width, close }: Props) {
    const chosen = (run: () => void) => (event: MouseEvent) => {
      // By keyboard there is no press.
      if (event.detail > 0 && !this.#pressed) return;
      close();
      run();
    };
    return (
      <>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the keyboard has Esc for it. */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard has Esc for it. */}
        <div
          class={sheet ? 'veil' : 'veil clear'}
          onPointerDown={this.#press}
          onClick={() => this.#pressed && close()}
        />
        <div
          class={sheet ? 'menu sheet' : 'menu'}
          role="menu"
          aria-label={label}
          tabIndex={-1}
          style={sheet || width === undefined ? undefined : { minInlineSize: `${width}px` }}
          ref={this.#menu}
          onPointerDown={this.#press}
          onKeyDown={this.#key}
        >
          {picks !== undefined && (
            <div class="pick" role="presentation">
              {picks.map(({ emoji, label: name, run }) => (
                <button
                  type="button"
                  role="menuitem"
                  tabIndex={-1}
                  key={emoji}
                  aria-label={name}
                  onClick={chosen(run)}
                >
                  {name === undefined ? emoji : <Icon name="plus" />}
                </button>
              ))}
            </div>
          )}
          {about}
          {items.map(({ picture, label: name, key, apart, bad, run }) => [
            apart === true && <hr key={`above ${name}`} />,
            <button
              type="button"
              role="menuitem"
              class={bad === true ? 'bad' : ''}
              tabIndex={-1}
              key={name}
              onClick={chosen(run)}
            >
              <Icon name={picture} />
              <span>{name}</span>
              {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a kbd takes no focus. */}
              {key !== undefined && !sheet && <kbd aria-hidden="true">{key}</kbd>}
            </button>,
          ])}
        </div>
      </>
    );
  }

  readonly #press = () => {
    this.#pressed = true;
  };

  readonly #key = (event: KeyboardEvent) => {
    const all = [...(this.#menu.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
    const at = all.indexOf(event.target as HTMLElement);
    const [after, before] = [(at + 1) % all.length, (at - 1 + all.length) % all.length];
    const isPick = (event.target as Element).closest('.pick') !== null;
    const mirrored = (event.target as Element).matches(':dir(rtl)');
    const to: Record<string, number> = {
      ArrowDown: after,
      ArrowUp: before,
      ...(isPick && { ArrowRight: mirrored ? before : after, ArrowLeft: mirrored ? after : before }),
      Home: 0,
      End: all.length - 1,
    };
    const next = to[event.key];
    if (next !== undefined) all[next]?.focus();
    else if (event.key === 'Escape' || event.key === 'Tab') this.props.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

/** Below the opener where there is room, else above; their ends meet. Never beyond the element's edges. */
function place(menu: HTMLElement, opener: Element): void {
  // It is not drawn any more, or hidden.
  if (opener.getClientRects().length === 0) return;
  // Where it was must not make it narrower.
  menu.style.left = '';
  const around = (menu.offsetParent ?? document.documentElement).getBoundingClientRect();
  const from = opener.getBoundingClientRect();
  const below = from.bottom + 4 + menu.offsetHeight <= around.bottom;
  const top = below ? from.bottom + 4 : Math.max(around.top + 4, from.top - 4 - menu.offsetHeight);
  const wanted = menu.matches(':dir(rtl)') ? from.left : from.right - menu.offsetWidth;
  const left = Math.min(Math.max(around.left + 6, wanted), around.right - menu.offsetWidth - 6);
  menu.style.insetBlockStart = `${top - around.top}px`;
  menu.style.left = `${left - around.left}px`;
}
