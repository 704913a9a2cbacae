import { flag, number, text } from '../chat/form.ts';
import type { Store } from '../chat/storage.ts';

const choices = ['theme', 'zoom', 'compact', 'enter'] as const;

/** The look that the user chose, for all pages of this browser. */
export class Look {
  /** Messages are on one line with their author, without bubbles. True once the style sheet for it has loaded. */
  compact = false;
  readonly #settings: Store;
  readonly #root: ShadowRoot;
  readonly #changed: () => void;
  readonly #loadCompact: (() => Promise<CSSStyleSheet>) | undefined;
  readonly #sheet = new CSSStyleSheet();

  /** @param loadCompact - loads the style sheet of compact messages; the moderators' page has none */
  constructor(
    settings: Store,
    root: ShadowRoot,
    changed: () => void,
    signal: AbortSignal,
    loadCompact?: () => Promise<CSSStyleSheet>,
  ) {
    this.#settings = settings;
    this.#root = root;
    this.#changed = changed;
    this.#loadCompact = loadCompact;
    root.adoptedStyleSheets.push(this.#sheet);
    this.#apply();
    // The user chose another look in another tab.
    const stored = ({ key }: StorageEvent) => {
      if (choices.some((choice) => settings.owns(key, choice))) this.#show();
    };
    addEventListener('storage', stored, { signal });
  }

  /** Undefined if the page decides. */
  get theme(): 'light' | 'dark' | undefined {
    const theme = this.#settings.get('theme', text);
    return theme === 'light' || theme === 'dark' ? theme : undefined;
  }

  /** A factor of the page's text size. */
  get zoom(): number {
    return this.#settings.get('zoom', number) ?? 1;
  }

  /** The user wants compact messages. */
  get dense(): boolean {
    return this.#settings.get('compact', flag) === true;
  }

  /** Whether Enter sends a message. Otherwise it begins a new line, and Ctrl+Enter sends. */
  get enterSends(): boolean {
    return this.#settings.get('enter', flag) ?? true;
  }

  /** Stores a choice and shows it. */
  choose(key: (typeof choices)[number], value: string | number | boolean): void {
    this.#settings.set(key, value);
    this.#show();
  }

  #show(): void {
    this.#apply();
    this.#changed();
  }

  #apply(): void {
    const { theme } = this;
    // Important, because the page and the attribute `theme` may set another scheme.
    const scheme = theme === undefined ? '' : `color-scheme:${theme}!important;`;
    this.#sheet.replaceSync(`:host{${scheme}--zoom:${this.zoom}}`);
    this.compact &&= this.dense;
    if (this.dense && !this.compact) void this.#load();
  }

  async #load(): Promise<void> {
    const sheet = await this.#loadCompact?.().catch(() => undefined);
    if (sheet === undefined) return;
    const { adoptedStyleSheets: sheets } = this.#root;
    if (!sheets.includes(sheet)) sheets.push(sheet);
    this.compact = this.dense;
    this.#changed();
  }
}
