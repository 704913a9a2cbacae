import type { MessageFile } from '../../../../server/wire/events.ts';

/** The chat that a file belongs to. `fileAccess` is set if requests carry no cookie. */
export interface FileHost {
  readonly server: string;
  readonly fileAccess?: string | undefined;
}

/**
 * Returns the URL of a file. The server authorises every request for it.
 *
 * @param size - `preview` for the smaller picture
 */
export function addressOf(
  { server, fileAccess: access }: FileHost,
  { id, name }: Pick<MessageFile, 'id' | 'name'>,
  size?: 'preview',
): string {
  const query = new URLSearchParams({ ...(size && { size }), ...(access && { access }) }).toString();
  return `${server}files/${id}/${encodeURIComponent(name)}${query && `?${query}`}`;
}
