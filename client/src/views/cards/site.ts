import type { Chat } from '../../chat/chat.ts';
import type { Context } from '../context.ts';

/** The site, as the words of its cards are marked. */
export const siteName = ({ chat }: { readonly chat: Pick<Chat, 'site'> }): string =>
  chat.site?.name ?? location.hostname;

/** Returns the address of a path on the site. The chat's own page may be on another host, and then names the site. */
export function sitePath({ attribute }: Pick<Context, 'attribute'>, path: string): string {
  const site = attribute('site-url') ?? location.origin;
  const url = URL.parse(path, site);
  return url?.origin === site ? url.href : '';
}
