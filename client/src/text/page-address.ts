/** The chat's part of the fragment of a page's address: a room, perhaps with a message, or an invite link. */
export type PageAddress =
  | { readonly room: string; readonly seq?: number }
  | { readonly token: string }
  | undefined;

const MESSAGE = /^#m=([\w-]{1,64})(?:\/([1-9]\d{0,15}))?$/;
const INVITE = /^#join=([\w-]{1,128})$/;

export function addressIn(hash: string): PageAddress {
  const [, token] = INVITE.exec(hash) ?? [];
  if (token !== undefined) return { token };
  const [, room, seq] = MESSAGE.exec(hash) ?? [];
  if (room === undefined) return undefined;
  return { room, ...(seq === undefined ? {} : { seq: Number(seq) }) };
}

export const hashOf = (room: string, seq?: number) => `#m=${room}${seq === undefined ? '' : `/${seq}`}`;
export const inviteHash = (token: string) => `#join=${token}`;

export const withoutHash = (address: string) => address.replace(/#.*$/su, '');
