import { Component } from 'preact';
import { firstPage } from '../../../../server/text/format.ts';
import type { Context } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';

/** Pause in typing after which a link counts as complete, in milliseconds. */
const PAUSE_MS = 500;

interface Props {
  readonly context: Context;
  readonly text: string;
  close(): void;
}

/** Shows the host of the link that will get a preview. The server fetches the page when the message is sent. */
export class LinkStrip extends Component<Props> {
  #shown: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  override componentDidMount(): void {
    this.#wait();
  }

  override componentDidUpdate({ text }: Props): void {
    if (text !== this.props.text) this.#wait();
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#timer);
  }

  override render({ context, text, close }: Props) {
    const page = this.#shown === null ? null : firstPage(text);
    if (page === null) return null;
    return (
      <div class="context">
        <Icon name="link" size="s" />
        <div>
          <bdi>{new URL(this.#shown ?? page).host}</bdi>
        </div>
        <IconButton name="close" label={context.strings.text('preview.without')} press={close} />
      </div>
    );
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const page = firstPage(this.props.text);
    if (page === null) this.#shown = null;
    else if (page !== this.#shown)
      this.#timer = setTimeout(() => {
        this.#shown = page;
        this.forceUpdate();
      }, PAUSE_MS);
  }
}
