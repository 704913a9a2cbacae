import type { StringKey } from '../strings/strings.ts';
import { Late } from '../views/late.ts';
import type { DeskContext } from './desk-context.ts';
import { Failed, ListToCome } from './nothing.tsx';
import type { Drawn, Part } from './part.ts';

/** A part of the page whose code loads when the part is first shown. */
export class LatePart implements Part {
  readonly #context: DeskContext;
  readonly #title: StringKey;
  readonly #late: Late<Part>;
  #state: 'closed' | 'open' | 'failed' = 'closed';

  constructor(context: DeskContext, title: StringKey, load: () => Promise<Part>) {
    this.#context = context;
    this.#title = title;
    this.#late = new Late(load);
  }

  open(): void {
    if (this.#late.code === undefined) void this.#load();
    else this.#late.code.open?.();
  }

  ready(): void {
    this.#late.code?.ready?.();
  }

  draw(): Drawn {
    if (this.#late.code !== undefined) return this.#late.code.draw();
    const { strings } = this.#context;
    return {
      whole: (
        <>
          <div class="bar">
            <h2 tabIndex={-1}>
              <span>{strings.text(this.#title)}</span>
            </h2>
          </div>
          {this.#state === 'failed' ? (
            <Failed
              context={this.#context}
              title={strings.text('details.error')}
              again={() => void this.#load()}
            />
          ) : (
            <ListToCome />
          )}
        </>
      ),
    };
  }

  key(key: string): boolean {
    return this.#late.code?.key?.(key) ?? false;
  }

  find(): void {
    this.#late.code?.find?.();
  }

  clear(): void {
    this.#state = 'closed';
    this.#late.code?.clear();
  }

  async #load(): Promise<void> {
    this.#state = 'open';
    try {
      const part = await this.#late.load();
      // The session may have ended while the code loaded.
      if (this.#state === 'open') part.open?.();
    } catch {
      if (this.#state === 'open') this.#state = 'failed';
    }
    this.#context.changed();
  }
}
