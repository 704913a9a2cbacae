import type { Context } from './context.ts';
import { Late } from './late.ts';
import type { Messages } from './messages/touch-and-keys.ts';
import type { Parts } from './parts.ts';
import { EarlyNews } from './rooms/early-news.ts';

type Panels = typeof import('./panels.ts');
type Dialogs = typeof import('./dialogs.tsx');
type Prefs = typeof import('./prefs/prefs.tsx');

/** The parts of one element that load after its first messages, with their style sheets. */
export class LateParts {
  /** Undefined until the panels are loaded. */
  parts: Parts | undefined;
  readonly #context: Context;
  readonly #root: ShadowRoot;
  readonly #messages: Messages;
  readonly #failed: (again: () => void) => void;
  readonly #earlyNews = new EarlyNews();
  /**
   * The code with its texts. The panels and dialogs load after the first messages are shown, the settings when they are
   * needed. Other late code is only loaded by this code.
   */
  readonly #panels = this.#late<Panels>(() => import('./panels.ts'));
  readonly #dialogs = this.#late<Dialogs>(() => import('./dialogs.tsx'));
  readonly #prefs = this.#late<Prefs>(() => import('./prefs/prefs.tsx'));
  /** The value of `roomless` at the last `load()`. */
  #asked: boolean | undefined;
  /** Aborted by `stop()`. Code that loads later is ignored. */
  readonly #stopped = new AbortController();

  /** @param failed - shows that loading failed and offers a retry */
  constructor(context: Context, root: ShadowRoot, messages: Messages, failed: (again: () => void) => void) {
    this.#context = context;
    this.#root = root;
    this.#messages = messages;
    this.#failed = failed;
    context.chat.followers.add(this.#earlyNews);
  }

  /** Undefined until loaded. */
  get panels(): Panels | undefined {
    return this.#panels.code;
  }

  /**
   * Preloads the code. If it is not needed yet, a failure is ignored, and the next use loads it again.
   */
  load(): void {
    const { roomless } = this.#context.chat;
    if (this.#asked === roomless) return;
    this.#asked = roomless;
    const draw = () => this.#context.draw();
    if (roomless) this.#with(this.#panels, draw);
    else this.#quietly(this.#panels.load(), draw);
    this.#quietly(this.#dialogs.load());
  }

  withPanels(task: (code: Panels) => void): void {
    this.#with(this.#panels, task);
  }

  withDialogs(task: (code: Dialogs) => void): void {
    this.#withDressed(this.#dialogs, task);
  }

  withPrefs(task: (code: Prefs) => void): void {
    this.#withDressed(this.#prefs, task);
  }

  /** Loads the panels first, because these style sheets build on the panels' sheet. */
  #withDressed<T extends { sheet(): CSSStyleSheet }>(part: Late<T>, task: (code: T) => void): void {
    this.#with(this.#panels, () =>
      this.#with(part, (code) => {
        this.#dress(code.sheet());
        task(code);
      }),
    );
  }

  /** For offers that the user did not ask for. A failure is ignored. */
  readonly #withPrefsSilently = (task: (code: Prefs) => void) =>
    this.#quietly(this.#prefs.load(), (code) => {
      this.#dress(code.sheet());
      task(code);
    });

  /** For tasks without a visible result. A failure is ignored. */
  silently(task: (code: Panels) => void): void {
    this.#quietly(this.#panels.load(), task);
  }

  /** Runs a screen reader announcement now, or after its code has loaded. */
  speak(task: (speaker: Parts['speaker']) => void): void {
    if (this.parts !== undefined) return task(this.parts.speaker);
    this.#quietly(this.#panels.load(), () => {
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

  /** Starts the parts once the panels are loaded. */
  start(): void {
    if (this.panels === undefined || this.parts !== undefined) return;
    this.#dress(this.panels.sheet());
    this.parts = this.panels.start(
      this.#context,
      this.#root,
      this.#messages,
      this.#withPrefsSilently,
      this.#earlyNews,
      this.#stopped.signal,
    );
  }

  stop(): void {
    this.#stopped.abort();
    this.parts?.tooltip.hide();
    this.parts?.speaker.clear();
  }

  /**
   * Runs a task with its code, immediately if that is loaded. If loading fails, offers the user a retry.
   *
   * @param again - this is the retry
   */
  #with<T>(part: Late<T>, task: (code: T) => void, again = false): void {
    const { chat } = this.#context;
    if (part.code !== undefined) {
      this.start();
      return task(part.code);
    }
    const me = chat.me?.id;
    const tryAgain = () => {
      // Some browsers do not request a failed script again in the same page.
      if (again) location.reload();
      else this.#with(part, task, true);
    };
    // The session may have ended, or the user changed, while the code loaded.
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

  /** Loads code together with the texts that only late code shows. */
  #late<T>(load: () => Promise<T>): Late<T> {
    return new Late(async () => {
      const [code] = await Promise.all([load(), this.#context.strings.complete()]);
      return code;
    });
  }

  #dress(sheet: CSSStyleSheet): void {
    const { adoptedStyleSheets: sheets } = this.#root;
    if (!sheets.includes(sheet)) sheets.push(sheet);
  }
}
