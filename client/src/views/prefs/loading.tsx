import type { Context } from '../context.ts';
import { Bones } from '../controls/bones.tsx';

/** Data that is requested while its view is open, and the placeholder until it has loaded. */
export class Loading<T> {
  /** Undefined until loaded. */
  value: T | undefined;
  readonly #context: Context;
  readonly #ask: () => Promise<T>;
  #failed = false;
  #asked = 0;

  constructor(context: Context, ask: () => Promise<T>) {
    this.#context = context;
    this.#ask = ask;
  }

  /** Loads the data, or loads it again. The current value stays until the response. */
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

  /** Renders the placeholder or the error. */
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
