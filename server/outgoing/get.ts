import type { IncomingMessage } from 'node:http';
import { NotFetched, type OutgoingRequest, request } from './request.ts';

export interface Got {
  /** The URL after all redirects. */
  url: URL;
  headers: IncomingMessage['headers'];
  body: IncomingMessage;
}

const mostRedirects = 5;

/**
 * Fetches a URL from a user. Each redirect is checked as in `request`.
 * @returns the response with status 200; its body must be read or destroyed
 * @throws NotFetched for a forbidden URL, too many redirects, or another status
 * @throws the reason of `signal`, or the error of the connection
 */
export async function get(
  address: string,
  options: Pick<OutgoingRequest, 'headers' | 'allowed' | 'signal'>,
): Promise<Got> {
  let url = new URL(address);
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const body = await request(url, options);
    const { statusCode: status = 0, headers } = body;
    if (status === 200) return { url, headers, body };
    body.destroy();
    const { location } = headers;
    if (![301, 302, 303, 307, 308].includes(status) || !URL.canParse(location ?? '', url.href)) {
      throw new NotFetched(`status ${status}`);
    }
    url = new URL(location ?? '', url.href);
  }
  throw new NotFetched('too many redirects');
}
