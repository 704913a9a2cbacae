import { Component } from 'preact';
import { list, number } from '../../chat/form.ts';
import type { Entry } from '../../store/entries.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { refusal } from '../refusal.ts';
import { PageCard } from './page-card.tsx';

/** Maximum wait for a preview, in milliseconds. */
const LONGEST = 5000;
/** Maximum number of hidden previews that are remembered per room. */
const MOST_HIDDEN = 200;

interface Props {
  readonly context: Context;
  readonly entry: Entry;
  /** Redraws the timeline and keeps the reader's position. */
  resize(): void;
}

/** The preview of the page that a message links to. The placeholder has the same height, so nothing jumps. */
class LinkPreview extends Component<Props> {
  #late: ReturnType<typeof setTimeout> | undefined;

  override componentDidMount(): void {
    this.#wait();
  }

  override componentDidUpdate(): void {
    this.#wait();
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#late);
  }

  override render({ context, entry }: Props) {
    const { preview } = entry.message ?? {};
    if (preview === undefined) return undefined;
    const { strings } = context;
    const { host } = new URL(preview.url);
    if (this.#hidden().includes(entry.message?.seq ?? 0)) {
      return (
        <div class="page-card shut">
          <button type="button" tabIndex={-1} onClick={() => this.#hide(false)}>
            <Icon name="link" />
            <bdi>{host}</bdi> · <u>{strings.text('preview.show')}</u>
          </button>
        </div>
      );
    }
    if (preview.title === undefined)
      return this.#left() > 0 ? <Bones /> : <Host url={preview.url} host={host} />;
    const remove = this.#mayRemove();
    return (
      <div class="page-card">
        <PageCard context={context} preview={preview} />
        <button
          type="button"
          class="icon"
          tabIndex={-1}
          aria-label={strings.text(remove ? 'preview.remove' : 'preview.hide')}
          data-tip={strings.text(remove ? 'preview.remove' : 'preview.hide')}
          onClick={remove ? this.#remove : () => this.#hide(true)}
        >
          <Icon name="close" />
        </button>
      </div>
    );
  }

  /** Milliseconds left until the wait for the preview ends. */
  #left(): number {
    return Math.min(LONGEST, this.props.entry.sentAt + LONGEST - this.props.context.chat.clock.now);
  }

  #wait(): void {
    clearTimeout(this.#late);
    const { preview } = this.props.entry.message ?? {};
    const left = this.#left();
    if (preview !== undefined && preview.title === undefined && left > 0)
      this.#late = setTimeout(() => {
        this.forceUpdate();
        this.props.resize();
      }, left);
  }

  #mayRemove(): boolean {
    const { chat } = this.props.context;
    const { user } = this.props.entry;
    return user.id === chat.me?.id || (chat.current?.summary.may.includes('moderate') ?? false);
  }

  #hidden(): readonly number[] {
    const { chat } = this.props.context;
    return chat.store?.get(this.#key(), list(number)) ?? [];
  }

  #hide(hidden: boolean): void {
    const { chat } = this.props.context;
    const { seq } = this.props.entry.message ?? {};
    const others = this.#hidden().filter((one) => one !== seq);
    chat.store?.set(this.#key(), hidden && seq !== undefined ? [...others, seq].slice(-MOST_HIDDEN) : others);
    this.forceUpdate();
    this.props.resize();
  }

  #key(): string {
    return `previews/${this.props.entry.message?.room}`;
  }

  readonly #remove = () => {
    const { chat, strings, toast } = this.props.context;
    const { room, seq } = this.props.entry.message ?? {};
    if (room === undefined || seq === undefined) return;
    chat
      .request('message:unpreview', { room, seq })
      .catch((error: unknown) => toast(refusal(error, strings), 'bad'));
  };
}

export const linkPreview = (entry: Entry, context: Context, resize: () => void) => (
  <LinkPreview context={context} entry={entry} resize={resize} />
);

function Bones() {
  return (
    <div class="page-card" aria-hidden="true">
      <div>
        <div class="bone line" />
        <div class="bone line" />
        <div class="bone line" />
      </div>
      <div class="bone pic" />
    </div>
  );
}

/** Shown if no preview arrived. */
function Host({ url, host }: { readonly url: string; readonly host: string }) {
  return (
    <div class="page-card shut">
      <a href={url} target="_blank" rel="noopener noreferrer nofollow ugc" tabIndex={-1}>
        <Icon name="link" />
        <bdi>{host}</bdi>
      </a>
    </div>
  );
}
