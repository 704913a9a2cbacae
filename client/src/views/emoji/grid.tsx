import { Component, createRef } from 'preact';
import { text } from '../../chat/form.ts';
import style from '../../styles/emoji.css?inline';
import { sheetOf } from '../../styles/styles.ts';
import { composes } from '../../text/keys.ts';
import { TONES, toned } from '../../text/tone.ts';
import type { Context } from '../context.ts';
import { FilterField } from '../controls/filter-field.tsx';
import { frameAround } from '../controls/frame.ts';
import { drawable } from './drawable.ts';
import { type EmojiNames, groups } from './find.ts';

export { EmojiNames } from './find.ts';

export const sheet = sheetOf(style);

const COLUMNS = 8;
const MOST_FOUND = 80;
const LONG_PRESS_MS = 450;
/** Number of frequently used emoji above the smileys, and in their own tab. */
const FIRST_ROW = 8;
const MOST_OFTEN = 32;
const tabs = ['frequent', 'smileys', 'people', 'nature', 'food', 'sport', 'travel', 'objects'] as const;
const pictures = ['🕘', '😀', '👋', '🐻', '🍎', '⚽', '🚗', '💡'];
/** Per tab, the emoji that this system can draw. Computed when the tab is first opened. */
const drawn = new Map<number, readonly string[]>();
const inTab = (tab: number): readonly string[] => {
  const known = drawn.get(tab) ?? drawable(groups[tab] ?? []);
  drawn.set(tab, known);
  return known;
};

interface Props {
  readonly context: Context;
  readonly names: EmojiNames;
  readonly beside: Element;
  /** Returns the `count` most used emoji. */
  often(count: number): readonly string[];
  chosen(emoji: string): void;
  close(): void;
}

/** All emoji in tabs, with a search by name. */
export class EmojiGrid extends Component<Props> {
  readonly #box = createRef<HTMLDivElement>();
  #tab = 1;
  #query = '';
  /** The emoji whose skin tones are offered. */
  #tones: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The press was long, so its click must not choose an emoji. */
  #long = false;

  override componentDidMount(): void {
    const box = this.#box.current;
    if (box === null) return;
    place(box, this.props.beside);
    // On a touch screen the field would open the keyboard, which leaves no space for the grid.
    (this.props.context.touch() ? box : box.querySelector('input'))?.focus();
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#timer);
  }

  override render({ context, names, often: most, close }: Props) {
    const { strings } = context;
    const found = this.#query.trim() === '' ? undefined : names.find(this.#query, MOST_FOUND);
    const shown = found ?? (this.#tab === 0 ? most(MOST_OFTEN) : inTab(this.#tab - 1));
    const often = found === undefined && this.#tab === 1 ? most(FIRST_ROW) : [];
    return (
      <>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: keyboard users press Esc. */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: keyboard users press Esc. */}
        <div class="veil clear" onClick={close} />
        <div
          class="emojis"
          role="dialog"
          aria-label={strings.text('emoji.open')}
          tabIndex={-1}
          ref={this.#box}
          onKeyDown={this.#key}
        >
          <FilterField
            label={strings.text('emoji.find')}
            query={this.#query}
            typed={(query) => {
              this.#query = query;
              this.#tones = undefined;
              this.forceUpdate();
            }}
          />
          <div class="tabs" role="tablist">
            {tabs.map((name, n) => (
              <button
                type="button"
                role="tab"
                key={name}
                tabIndex={n === this.#tab ? 0 : -1}
                aria-selected={found === undefined && n === this.#tab}
                aria-label={strings.text(`emoji.${name}`)}
                onClick={() => this.#open(n)}
              >
                {pictures[n]}
              </button>
            ))}
          </div>
          <div class="scroll" role="tabpanel" aria-label={strings.text('emoji.open')} tabIndex={-1}>
            {this.#tones !== undefined && this.#grid([this.#tones, ...tonesOf(this.#tones)], 'tones', true)}
            {often.length > 0 && [
              <h3 class="section" key="often">
                {strings.text('emoji.frequent')}
              </h3>,
              this.#grid(often, 'frequent'),
              <h3 class="section" key="all">
                {strings.text('emoji.smileys')}
              </h3>,
            ]}
            {shown.length > 0 ? this.#grid(shown, 'all') : <p class="note">{strings.text('emoji.none')}</p>}
          </div>
        </div>
      </>
    );
  }

  #grid(shown: readonly string[], key: string, asIs = false) {
    const tone = asIs ? undefined : this.props.context.chat.settings.get('tone', text);
    return (
      <div class="grid" key={key}>
        {shown.map((one, n) => {
          const emoji = (tone && toned(one, tone)) || one;
          return (
            <button
              type="button"
              key={one}
              tabIndex={n === 0 ? 0 : -1}
              title={this.#nameOf(one)}
              aria-label={this.#nameOf(one)}
              onPointerDown={() => this.#press(one)}
              onPointerUp={() => clearTimeout(this.#timer)}
              onPointerLeave={() => clearTimeout(this.#timer)}
              onContextMenu={(event) => {
                event.preventDefault();
                this.#offer(one);
              }}
              onClick={() => {
                if (this.#long) return;
                if (asIs) this.props.context.chat.settings.set('tone', TONES[n - 1] ?? '');
                this.#tones = undefined;
                this.props.chosen(emoji);
                this.forceUpdate();
              }}
            >
              {emoji}
            </button>
          );
        })}
      </div>
    );
  }

  #open(tab: number): void {
    this.#tab = tab;
    this.#query = '';
    this.#tones = undefined;
    this.forceUpdate();
  }

  #press(emoji: string): void {
    this.#long = false;
    clearTimeout(this.#timer);
    if (tonesOf(emoji).length > 0) this.#timer = setTimeout(() => this.#offer(emoji), LONG_PRESS_MS);
  }

  #offer(emoji: string): void {
    if (tonesOf(emoji).length === 0) return;
    this.#long = true;
    this.#tones = emoji;
    this.forceUpdate();
    const scroll = this.#box.current?.querySelector('.scroll');
    if (scroll) scroll.scrollTop = 0;
  }

  #nameOf(emoji: string): string {
    return this.props.names.nameOf(emoji) ?? emoji;
  }

  readonly #key = (event: KeyboardEvent) => {
    if (composes(event)) return;
    const target = event.target as HTMLElement;
    const mirrored = target.matches(':dir(rtl)');
    const side = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (event.key === 'Escape') {
      this.props.close();
    } else if (target.role === 'tab' && side !== 0) {
      this.#open((this.#tab + (mirrored ? -side : side) + tabs.length) % tabs.length);
      this.#box.current?.querySelectorAll<HTMLElement>('[role=tab]')[this.#tab]?.focus();
    } else if (target.matches('.grid button') || event.key === 'ArrowDown') {
      const buttons = [...(this.#box.current?.querySelectorAll<HTMLElement>('.grid button') ?? [])];
      const at = buttons.indexOf(target);
      const rows = event.key === 'ArrowDown' ? COLUMNS : event.key === 'ArrowUp' ? -COLUMNS : 0;
      const step = rows + (mirrored ? -side : side);
      if (step === 0) return;
      if (at < 0) buttons[0]?.focus();
      else if (at + step < 0) this.#box.current?.querySelector('input')?.focus();
      else buttons[Math.min(at + step, buttons.length - 1)]?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
}

const tonesOf = (emoji: string): string[] => TONES.flatMap((tone) => toned(emoji, tone) ?? []);

/** Places the grid above `beside` if it fits there, otherwise below, within the element. */
function place(box: HTMLElement, beside: Element): void {
  const frame = frameAround(box);
  const from = frame.boxOf(beside);
  const above = from.top - 4 - box.offsetHeight;
  const top = above >= 4 ? above : Math.min(from.bottom + 4, frame.height - box.offsetHeight - 4);
  const wanted = box.matches(':dir(rtl)') ? from.left : from.right - box.offsetWidth;
  const left = Math.min(Math.max(8, wanted), frame.width - box.offsetWidth - 8);
  box.style.insetBlockStart = `${Math.max(4, top)}px`;
  box.style.left = `${left}px`;
}
