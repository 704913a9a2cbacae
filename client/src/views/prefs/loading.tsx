import type { Context } from '../context.ts';
import { Bones } from '../controls/bones.tsx';

/** Something that the server is asked for while it is shown: its place, and what stands there before it has come. */
export class Loading<T> {
  /** Undefined until it has come. */
  value: T | undefined;
  readonly #context: Context;
  readonly #ask: () => Promise<T>;
  #failed = false;
  #asked = 0;

  constructor(context: Context, ask: () => Promise<T>) {
    this.#context = context;
    this.#ask = ask;
  }

  /** Asks, or asks again: what is known stays until the answer has come. */
  readonly load = () => {
    const { changed } = this.#context;
    const asked = ++this.#asked;
    this.#failed = false;
    this.#ask().then(
      (value) => {
        if (asked !== this.#asked) return;
        this.value = value;
        changed();
      },
      () => {
        if (asked !== this.#asked) return;
        this.#failed = true;
        changed();
      },
    );
  };

  /** In its place. */
  draw() {
    const { strings } = this.#context;
    if (this.#failed)
      return (
        <p class="hint" role="alert">
          {`${strings.text('details.error')} `}
          <button type="button" class="link" onClick={this.load}>
            {strings.text('common.again')}
          </button>
        </p>
      );
    return (
      <Bones>
        <div class="sets box" aria-hidden="true">
          {['w55 w30', 'w30 w55'].map((widths) => (
            <div class="set" key={widths}>
              <div>
                {widths.split(' ').map((width) => (
                  <div class={`bone line ${width}`} key={width} />
                ))}
              </div>
            </div>
          ))}
        </div>
      </Bones>
    );
  }
}
