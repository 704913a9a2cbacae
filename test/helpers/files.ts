import type { MessageFile } from '../../server/wire/events.ts';

export interface Uploaded {
  status: number;
  headers: Headers;
  file: MessageFile;
  code: string | undefined;
}

export const origin = 'https://www.example.org';

/** Uploads a file as a page of the site does. */
export async function upload(
  url: string,
  cookie: string,
  bytes: Buffer | string,
  {
    room = 'lobby',
    name = 'file',
    headers = {},
    ...more
  }: { room?: string; name?: string; headers?: object; peaks?: string; use?: string } = {},
): Promise<Uploaded> {
  const given = Object.entries({ room, name, ...more }).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(Object.fromEntries(given));
  const answer = await fetch(`${url}/files?${query}`, {
    method: 'POST',
    headers: { origin, cookie, ...headers },
    body: typeof bytes === 'string' ? bytes : new Uint8Array(bytes),
  });
  const body = (await answer.json()) as { file: MessageFile; error?: { code: string } };
  return { status: answer.status, headers: answer.headers, file: body.file, code: body.error?.code };
}

/** Requests a file as a page of the site does. */
export function download(
  url: string,
  cookie: string,
  { id, name }: Pick<MessageFile, 'id' | 'name'>,
  { preview = false, headers = {}, method = 'GET' } = {},
): Promise<Response> {
  const query = preview ? '?size=preview' : '';
  return fetch(`${url}/files/${id}/${encodeURIComponent(name)}${query}`, {
    method,
    headers: { origin, cookie, ...headers },
  });
}
