import type { Preview } from '../../../../server/wire/events.ts';
import { addressOf, type FileHost } from '../files/address.ts';

interface Props {
  readonly context: { readonly chat: FileHost };
  readonly preview: Preview;
}

/** The title, description and picture of a linked page. */
export function PageCard({ context, preview: { url, title, description, image } }: Props) {
  const { host } = new URL(url);
  const source = image && addressOf(context.chat, { id: image.id, name: 'preview.webp' });
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
      {source && <img crossorigin="use-credentials" loading="lazy" src={source} alt="" />}
    </a>
  );
}
