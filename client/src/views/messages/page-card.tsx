import { Component } from 'preact';
import type { Preview } from '../../../../server/wire/events.ts';
import { addressOf, type FileHost } from '../files/address.ts';

interface Props {
  readonly context: { readonly chat: FileHost };
  readonly preview: Preview;
}

/** The title, description and picture of a linked page. */
export class PageCard extends Component<Props> {
  /** The loaded picture. With another `fileAccess`, the browser would load it again. */
  #loaded: { readonly id: string; readonly source: string } | undefined;

  override render({ context, preview: { url, title, description, image } }: Props) {
    const { host } = new URL(url);
    const { id = '' } = image ?? {};
    const source =
      this.#loaded?.id === id ? this.#loaded.source : addressOf(context.chat, { id, name: 'preview.webp' });
    return (
      <a href={url} rel="noopener noreferrer nofollow ugc" target="_blank" title={host} tabIndex={-1}>
        <div>
          <small>
            <bdi>{host}</bdi>
          </small>
          <b>{title}</b>
          {description && <p>{description}</p>}
        </div>
        {/* `crossorigin` and `loading` come before `src`, otherwise the browser requests the picture twice. */}
        {image && (
          <img
            crossorigin="use-credentials"
            loading="lazy"
            src={source}
            alt=""
            onLoad={() => {
              this.#loaded = { id, source };
            }}
          />
        )}
      </a>
    );
  }
}
