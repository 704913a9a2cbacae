import type { ComponentChildren } from 'preact';
import type { Context, DialogRequest } from './context.ts';
import type { LateParts } from './late-parts.ts';

type Content = () => ComponentChildren;

/** Dialogs that stay open when the room is lost, because they show none of its messages. */
const apart: ReadonlySet<DialogRequest['kind']> = new Set([
  'create',
  'switch',
  'keys',
  'ask',
  'note',
  'snippets',
  'direct',
  'block',
  'pushHelp',
  'leave',
  'deleteRoom',
]);

/** Shows at most one menu or large picture above the panes, and at most one dialog above it. */
export class Layers {
  readonly #context: Context;
  readonly #root: ShadowRoot;
  readonly #late: LateParts;
  #layer: Content | undefined;
  #dialog: Content | undefined;
  /** Whether the dialog must close when the room is lost. */
  #ofRoom = false;
  /** If one of these counters changes while the code of a dialog loads, the dialog does not open. */
  #since = { loss: 0, clearing: 0 };

  constructor(context: Context, root: ShadowRoot, late: LateParts) {
    this.#context = context;
    this.#root = root;
    this.#late = late;
  }

  get shown(): boolean {
    return this.#layer !== undefined || this.modal;
  }

  /** Whether a dialog is open. Everything below it is inert. */
  get modal(): boolean {
    return this.#dialog !== undefined;
  }

  /** Shows a menu or large picture. Without content, closes the current one; a dialog stays open. */
  put(content?: Content): void {
    this.#layer = content;
  }

  open(request: DialogRequest): void {
    const opener = this.#root.activeElement;
    const close = () => {
      this.#dialog = undefined;
      this.#context.draw(opener);
    };
    const ofRoom = !apart.has(request.kind);
    const { loss, clearing } = this.#since;
    this.#late.withDialogs(({ Dialogs }) => {
      if (clearing !== this.#since.clearing || (ofRoom && loss !== this.#since.loss)) return;
      this.#ofRoom = ofRoom;
      this.#dialog = () => <Dialogs context={this.#context} request={request} close={close} />;
      this.#context.draw();
    });
  }

  /** Closes everything that may show messages of the lost room. */
  loseRoom(): void {
    this.#since.loss++;
    this.#layer = undefined;
    if (this.#ofRoom) this.#dialog = undefined;
  }

  clear(): void {
    this.#since.clearing++;
    this.#layer = undefined;
    this.#dialog = undefined;
  }

  draw() {
    return (
      <>
        {this.#layer?.()}
        {this.#dialog?.()}
      </>
    );
  }
}
