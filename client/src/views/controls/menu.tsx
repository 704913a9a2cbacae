import { Component, type ComponentChildren, createRef } from 'preact';
import type { ControlContext } from '../context.ts';
import { frameAround } from './frame.ts';
import { Icon, type IconName } from './icon.tsx';

export interface MenuItem {
  readonly picture: IconName;
  readonly label: string;
  /** The key that runs the item without the menu. */
  readonly key?: string;
  /** Whether a separator appears above it. */
  readonly apart?: boolean;
  /** Whether the action is destructive. */
  readonly bad?: boolean;
  run(): void;
}

/** A button in the row above the items. */
export interface QuickPick {
  readonly emoji: string;
  /** Name of a pick that is not an emoji. It shows `picture`. */
  readonly label?: string;
  readonly picture?: IconName;
  run(): void;
}

interface Props {
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly picks?: readonly QuickPick[] | undefined;
  /** The subject of the menu, above the items of a sheet. */
  readonly about?: ComponentChildren;
  /** A button at the end of the subject. */
  readonly select?: Pick<MenuItem, 'label' | 'run'> | undefined;
  /** The element next to which the menu opens. */
  readonly beside: Element;
  /** Where the pointer opened the menu, in the window. The menu opens there instead. */
  readonly at?: { readonly x: number; readonly y: number } | undefined;
  /** Whether the menu aligns with the start of the element, not with its end. */
  readonly atStart?: boolean;
  /** Minimum width in CSS pixels. */
  readonly width?: number | undefined;
  readonly sheet: boolean;
  close(): void;
  /** Called when the menu is no longer shown, however it was closed. */
  closed(): void;
}

/** Opens a menu next to its opener, or as a bottom sheet on a touch screen. The focus returns to the opener. */
export function openMenu(
  context: ControlContext,
  opener: HTMLElement,
  menu: Omit<Props, 'beside' | 'sheet' | 'close' | 'closed'> & { beside?: Element | null },
): void {
  // A message whose menu was opened by a key has no expanded state.
  const expanded = (value: boolean) =>
    opener.hasAttribute('aria-haspopup') && opener.setAttribute('aria-expanded', String(value));
  const message = opener.closest<HTMLElement>('.msg');
  const closed = () => expanded(false);
  const close = () => {
    closed();
    opener.focus();
    // A message shows its buttons only while the pointer is over it, and a hidden button cannot take the focus.
    if (!opener.matches(':focus')) message?.focus({ preventScroll: true });
    context.layer();
  };
  expanded(true);
  const sheet = context.touch();
  context.layer(() => (
    <Menu {...menu} beside={menu.beside ?? opener} sheet={sheet} close={close} closed={closed} />
  ));
}

/** The name of a menu as its subject. */
export const menuTitle = (label: string) => (
  <div class="about" role="presentation">
    <span>{label}</span>
  </div>
);

class Menu extends Component<Props> {
  readonly #menu = createRef<HTMLDivElement>();
  /** Whether a press began on the sheet. Lifting the finger that opened the sheet must not choose or close. */
  #pressed = false;

  override componentDidMount(): void {
    const menu = this.#menu.current;
    if (menu === null) return;
    if (!this.props.sheet) place(menu, this.props);
    const items = this.#items();
    (items.find((item) => item.closest('.pick, .subject') === null) ?? items[0])?.focus();
  }

  override componentWillUnmount(): void {
    this.props.closed();
  }

  /** The chat may have been resized, or the opener moved. */
  override componentDidUpdate(): void {
    const menu = this.#menu.current;
    if (menu !== null && !this.props.sheet) place(menu, this.props);
  }

  override render({ label, items, picks, about, select, sheet, width, close }: Props) {
    const chosen = (run: () => void) => (event: MouseEvent) => {
      // A keyboard click has no press.
      if (event.detail > 0 && !this.#pressed) return;
      close();
      run();
    };
    return (
      <>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: keyboard users press Esc. */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: keyboard users press Esc. */}
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
              {picks.map(({ emoji, label: name, picture = 'plus', run }) => (
                <button
                  type="button"
                  role="menuitem"
                  tabIndex={-1}
                  key={emoji}
                  aria-label={name}
                  title={name}
                  onClick={chosen(run)}
                >
                  {name === undefined ? emoji : <Icon name={picture} />}
                </button>
              ))}
            </div>
          )}
          {select === undefined ? (
            sheet && about
          ) : (
            <div class="subject" role="presentation">
              {about}
              <button
                type="button"
                role="menuitem"
                tabIndex={-1}
                aria-label={select.label}
                onClick={chosen(select.run)}
              >
                <Icon name="select" />
              </button>
            </div>
          )}
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
              {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a kbd is not focusable. */}
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

  #items(): HTMLElement[] {
    return [...(this.#menu.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
  }

  readonly #key = (event: KeyboardEvent) => {
    const all = this.#items();
    const target = event.target as HTMLElement;
    const at = all.indexOf(target);
    const [after, before] = [(at + 1) % all.length, (at - 1 + all.length) % all.length];
    const mirrored = target.matches(':dir(rtl)');
    // The picks are one row, so the arrows up and down skip it.
    const firstItem = all.findIndex((item) => !isPick(item));
    const isRow = isPick(target) && firstItem !== -1;
    const to: Record<string, number> = {
      ArrowDown: isRow ? firstItem : after,
      ArrowUp: isRow ? all.length - 1 : at === firstItem && isPick(all[before]) ? 0 : before,
      ...(isPick(target) && { ArrowRight: mirrored ? before : after, ArrowLeft: mirrored ? after : before }),
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

const isPick = (item: Element | undefined) => item?.closest('.pick') != null;

/**
 * Places the menu below the element, or at the pointer, if it fits there, otherwise above, within the chat. The inline
 * ends of the menu and the element align, or with `atStart` their starts. At the pointer, the menu begins there.
 */
function place(menu: HTMLElement, { beside, at, atStart }: Pick<Props, 'beside' | 'at' | 'atStart'>): void {
  // The opener was removed or hidden.
  if (beside.getClientRects().length === 0) return;
  // The previous position must not limit the width.
  menu.style.left = '';
  const frame = frameAround(menu);
  const gap = at === undefined ? 4 : 0;
  const from = at === undefined ? frame.boxOf(beside) : frame.boxOf(new DOMRect(at.x, at.y));
  const below = from.bottom + gap + menu.offsetHeight <= frame.height;
  const top = below ? from.bottom + gap : Math.max(4, from.top - gap - menu.offsetHeight);
  const isFromLeft = menu.matches(':dir(rtl)') === (at === undefined && atStart !== true);
  const wanted = isFromLeft ? from.left : from.right - menu.offsetWidth;
  const left = Math.min(Math.max(6, wanted), frame.width - menu.offsetWidth - 6);
  menu.style.insetBlockStart = `${top}px`;
  menu.style.left = `${left}px`;
}
