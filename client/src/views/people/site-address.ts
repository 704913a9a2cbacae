import { isGuest } from '../../../../server/wire/guest.ts';

/** Fills a URL template of the site with a user ID. Returns undefined if the result is not trusted. */
export function siteAddress(template: string, id: string): string | undefined {
  // The site has no page and no picture of guests.
  if (isGuest(id)) return undefined;
  // In a path these are relative segments, even if encoded.
  if (/^\.\.?$/.test(id)) return undefined;
  const url = URL.parse(template.replaceAll('{id}', encodeURIComponent(id.toWellFormed())), document.baseURI);
  // Allows HTTPS, or HTTP on the page's host, because site and chat may use different ports. Never a script URL.
  const own =
    [url?.protocol, location.protocol].every((one) => one === 'http:') && url?.hostname === location.hostname;
  return own || url?.protocol === 'https:' ? url.href : undefined;
}
