import type { ComponentChildren } from 'preact';
import type { Context, DialogRequest } from './context.ts';
import type { LateParts } from './late-parts.ts';

type Content = () => ComponentChildren;

/** Dialogs that say nothing of what is in a room, and those that end a room themselves. */
const apart: ReadonlySet<DialogRequest['kind']> = new Set([
  'create',
  'direct',
  'block',
  'pushHelp',
  'leave',
  'deleteRoom',
  'handOver',
]);

/** Everything that opens above the panes: a menu or a large picture, and a dialog. */
export class Layers {
  readonly #context: Context;
  readonly #root: ShadowRoot;
  readonly #late: LateParts;
  #layer: Content | undefined;
  #dialog: Content | undefined;
  /** The dialog is about the room that is shown. */
  #ofRoom = false;
  /** Which dialogs may still open when their code has come: those since the room was lost, or everything cleared. */
  #since = { loss: 0, clearing: 0 };

  constructor(context: Context, root: ShadowRoot, late: LateParts) {
    this.#context = context;
    this.#root = root;
    this.#late = late;
  }

  get shown(): boolean {
    return this.#layer !== undefined || this.modal;
  }

  /** Everything below is inert. */
  get modal(): boolean {
    return this.#dialog !== undefined;
  }

  /** Without content, what is there goes; a dialog stays. */
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

  /** The room that was shown is lost, and what may show its messages with it. */
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
