import { Component, createRef } from 'preact';
import type { SiteCard } from '../views/cards/site-card.tsx';
import { Icon } from '../views/controls/icon.tsx';
import { Late } from '../views/late.ts';

const late = new Late(() => import('./card.ts'));

type Props = SiteCard['props'];

/** The card of a message. Its code and its sheet load with the first card. Until then the reference is shown. */
export class LateCard extends Component<Props> {
  readonly #reference = createRef<HTMLParagraphElement>();
  #code: typeof late.code;

  override componentDidMount(): void {
    late.load().then(
      (code) => {
        const root = this.#reference.current?.getRootNode();
        if (!(root instanceof ShadowRoot)) return;
        const dress = code.sheet();
        if (!root.adoptedStyleSheets.includes(dress)) root.adoptedStyleSheets.push(dress);
        this.#code = code;
        this.forceUpdate();
      },
      // The reference stays.
      () => {},
    );
  }

  override render({ about, ...props }: Props) {
    const code = this.#code;
    return code === undefined ? (
      <p ref={this.#reference}>
        <Icon name="card" size="s" /> <bdi>{about}</bdi>
      </p>
    ) : (
      <code.SiteCard about={about} {...props} />
    );
  }
}
