import type { Context } from './context.ts';
import { Later } from './later.ts';
import type { Equipment } from './panels/equipment.ts';
import type { Messages } from './panels/touch-and-keys.ts';

type Panels = typeof import('./panels/panels.ts');
type Dialogs = typeof import('./dialogs/dialogs.tsx');

const panels = new Later<Panels>(() => import('./panels/panels.ts'));
const dialogs = new Later<Dialogs>(() => import('./dialogs/dialogs.tsx'));

/** What one element gets after its first messages: the code of what opens later, its sheets and its texts. */
export class Rest {
  tooltip: Equipment['tooltip'] | undefined;
  speaker: Equipment['speaker'] | undefined;
  formatBar: Equipment['formatBar'] | undefined;
  suggest: Equipment['suggest'] | undefined;
  search: Equipment['search'] | undefined;
  notifications: Equipment['notifications'] | undefined;
  files: Equipment['files'] | undefined;
  blocking: Equipment['blocking'] | undefined;
  barring: Equipment['barring'] | undefined;
  unsent: Equipment['unsent'] | undefined;
  portraits: Equipment['portraits'] | undefined;
  readonly #context: Context;
  readonly #root: ShadowRoot;
  readonly #messages: Messages;
  readonly #failed: (again: () => void) => void;
  /** Whether no room was shown when it was asked for. */
  #asked: boolean | undefined;
  /** What comes late is for nobody any more. */
  readonly #stopped = new AbortController();

  /** @param failed - tells the reader that something cannot be had, and offers to try again */
  constructor(context: Context, root: ShadowRoot, messages: Messages, failed: (again: () => void) => void) {
    this.#context = context;
    this.#root = root;
    this.#messages = messages;
    this.#failed = failed;
  }

  /** Undefined until they can be shown. */
  get panels(): Panels | undefined {
    return panels.code;
  }

  /**
   * Nothing is to wait for code when it is wanted. Should it fail, it is asked for again then, as where no room is shown
   * any more.
   *
   * @param people - they are to be seen now
   */
  load(people: boolean): void {
    const { roomless } = this.#context.chat;
    if (this.#asked === roomless) return;
    this.#asked = roomless;
    const draw = () => this.#context.draw();
    if (people || roomless) this.#with(panels, draw);
    else this.#quietly(panels.load(), draw);
    this.#quietly(dialogs.load());
  }

  withPanels(task: (code: Panels) => void): void {
    this.#with(panels, task);
  }

  withDialogs(task: (code: Dialogs) => void): void {
    // A dialog has lists of people, too: its sheet stands upon that of the panels.
    this.#with(panels, () =>
      this.#with(dialogs, (code) => {
        this.#dress(code.sheet());
        task(code);
      }),
    );
  }

  /** What nobody waits for, and shows nothing. */
  silently(task: (code: Panels) => void): void {
    this.#quietly(panels.load(), task);
  }

  /** For those who hear it: at once, or as soon as it can be said. */
  speak(task: (speaker: Equipment['speaker']) => void): void {
    if (this.speaker !== undefined) return task(this.speaker);
    this.#quietly(panels.load(), () => {
      this.equip();
      if (this.speaker !== undefined) task(this.speaker);
    });
  }

  #quietly<T>(coming: Promise<T>, task?: (code: T) => void): void {
    coming.then(
      (code) => !this.#stopped.signal.aborted && task?.(code),
      () => {},
    );
  }

  /** What is to be done once when the panels have come. */
  equip(): void {
    if (this.panels === undefined || this.tooltip !== undefined) return;
    this.#dress(this.panels.sheet());
    Object.assign(this, this.panels.equip(this.#context, this.#root, this.#messages, this.#stopped.signal));
  }

  stop(): void {
    this.#stopped.abort();
    this.tooltip?.hide();
    this.speaker?.clear();
  }

  /**
   * Does that with code that comes later: at once, if it has come. Where it cannot be had, the reader is offered to try
   * again.
   *
   * @param again - the reader has pressed that once
   */
  #with<T>(later: Later<T>, task: (code: T) => void, again = false): void {
    const { chat } = this.#context;
    if (later.code !== undefined) {
      this.equip();
      return task(later.code);
    }
    const me = chat.me?.id;
    const tryAgain = () => {
      // Some browsers do not ask again for a script that has failed in the same page.
      if (again) location.reload();
      else this.#with(later, task, true);
    };
    later.load().then(
      (code) => {
        // It was for somebody whose session may have ended meanwhile.
        if (this.#stopped.signal.aborted || chat.me?.id !== me) return;
        this.equip();
        task(code);
      },
      () => !this.#stopped.signal.aborted && this.#failed(tryAgain),
    );
  }

  #dress(sheet: CSSStyleSheet): void {
    const { adoptedStyleSheets: sheets } = this.#root;
    if (!sheets.includes(sheet)) sheets.push(sheet);
  }
}
