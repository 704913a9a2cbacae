import type { Context } from './context.ts';
import { Late } from './late.ts';
import type { Messages } from './messages/touch-and-keys.ts';
import type { Parts } from './parts.ts';

type Panels = typeof import('./panels.ts');
type Dialogs = typeof import('./dialogs.tsx');
type Prefs = typeof import('./prefs/prefs.tsx');

/**
 * The first two come when the first messages are shown, the user's settings when they are opened. So does the grid of
 * emoji: see emoji/open-emoji.tsx.
 */
const late = {
  panels: new Late<Panels>(() => import('./panels.ts')),
  dialogs: new Late<Dialogs>(() => import('./dialogs.tsx')),
  prefs: new Late<Prefs>(() => import('./prefs/prefs.tsx')),
};

/** The parts of one element that come after its first messages, with their sheets. */
export class LateParts {
  /** Undefined until the panels have come. */
  parts: Parts | undefined;
  readonly #context: Context;
  readonly #root: ShadowRoot;
  readonly #messages: Messages;
  readonly #failed: (again: () => void) => void;
  /** Whether no room was shown when it was asked for. */
  #asked: boolean | undefined;
  /** Code that comes after the end is for nobody. */
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
    return late.panels.code;
  }

  /**
   * Loads the code before it is wanted. Should it fail, it is asked for again then, as where no room is shown
   * any more.
   *
   * @param people - they are to be seen now
   */
  load(people: boolean): void {
    const { roomless } = this.#context.chat;
    if (this.#asked === roomless) return;
    this.#asked = roomless;
    const draw = () => this.#context.draw();
    if (people || roomless) this.#with(late.panels, draw);
    else this.#quietly(late.panels.load(), draw);
    this.#quietly(late.dialogs.load());
  }

  withPanels(task: (code: Panels) => void): void {
    this.#with(late.panels, task);
  }

  withDialogs(task: (code: Dialogs) => void): void {
    this.#withDressed(late.dialogs, task);
  }

  withPrefs(task: (code: Prefs) => void): void {
    this.#withDressed(late.prefs, task);
  }

  /** They have lists of people, too: their sheets stand upon that of the panels. */
  #withDressed<T extends { sheet(): CSSStyleSheet }>(part: Late<T>, task: (code: T) => void): void {
    this.#with(late.panels, () =>
      this.#with(part, (code) => {
        this.#dress(code.sheet());
        task(code);
      }),
    );
  }

  /** For what is offered: nobody waits for it. */
  readonly #prefs = (task: (code: Prefs) => void) =>
    this.#quietly(late.prefs.load(), (code) => {
      this.#dress(code.sheet());
      task(code);
    });

  /** For tasks that nobody waits for and that show nothing. */
  silently(task: (code: Panels) => void): void {
    this.#quietly(late.panels.load(), task);
  }

  /** For those who hear it: at once, or as soon as it can be said. */
  speak(task: (speaker: Parts['speaker']) => void): void {
    if (this.parts !== undefined) return task(this.parts.speaker);
    this.#quietly(late.panels.load(), () => {
      this.start();
      if (this.parts !== undefined) task(this.parts.speaker);
    });
  }

  #quietly<T>(coming: Promise<T>, task?: (code: T) => void): void {
    coming.then(
      (code) => !this.#stopped.signal.aborted && task?.(code),
      () => {},
    );
  }

  /** Starts the parts, once, when the panels have come. */
  start(): void {
    if (this.panels === undefined || this.parts !== undefined) return;
    this.#dress(this.panels.sheet());
    this.parts = this.panels.start(
      this.#context,
      this.#root,
      this.#messages,
      this.#prefs,
      this.#stopped.signal,
    );
  }

  stop(): void {
    this.#stopped.abort();
    this.parts?.tooltip.hide();
    this.parts?.speaker.clear();
  }

  /**
   * Does that with code that comes later: at once, if it has come. Where it cannot be had, the reader is offered to try
   * again.
   *
   * @param again - the reader has pressed that once
   */
  #with<T>(part: Late<T>, task: (code: T) => void, again = false): void {
    const { chat } = this.#context;
    if (part.code !== undefined) {
      this.start();
      return task(part.code);
    }
    const me = chat.me?.id;
    const tryAgain = () => {
      // Some browsers do not ask again for a script that has failed in the same page.
      if (again) location.reload();
      else this.#with(part, task, true);
    };
    // It was for somebody whose session may have ended meanwhile.
    const isOver = () => this.#stopped.signal.aborted || chat.me?.id !== me;
    part.load().then(
      (code) => {
        if (isOver()) return;
        this.start();
        task(code);
      },
      () => !isOver() && this.#failed(tryAgain),
    );
  }

  #dress(sheet: CSSStyleSheet): void {
    const { adoptedStyleSheets: sheets } = this.#root;
    if (!sheets.includes(sheet)) sheets.push(sheet);
  }
}
