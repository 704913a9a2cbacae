import { isMailAddress } from '../../text/mail-address.ts';

/** Mail servers may change the case of an address, so tokens use one case. */
export const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
export const randomCharacters = 26;
const tokenForm = `[${alphabet}]{${randomCharacters}}`;

/** Maximum length of the local part of an address (RFC 5321). */
const maxLocal = 64;
/** Maximum length of the local part of CHAT_MAIL_REPLIES, so that `+` and a token fit in. */
export const maxRepliesLocal = maxLocal - randomCharacters - 1;

/** The address that receives answers to mails. Mails contain it with a token, as in `replies+TOKEN@example.org`. */
export interface RepliesAddress {
  local: string;
  domain: string;
}

/** Parses CHAT_MAIL_REPLIES. Returns undefined if it is not an address to which a token can be added. */
export function readRepliesAddress(text: string): RepliesAddress | undefined {
  const at = text.lastIndexOf('@');
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)];
  if (!isMailAddress(text) || local.includes('+') || local.length > maxRepliesLocal) return undefined;
  return { local, domain };
}

/** Headers that name the recipient of the envelope, and then those that the sender wrote. */
export const recipientHeaders = ['delivered-to', 'x-original-to', 'envelope-to', 'x-envelope-to', 'to', 'cc'];

/** Maximum bytes of the headers of a mail. */
export const maxHeadBytes = 256 * 1024;

/** The headers of a mail by their names in lower case, unfolded. They are read without the parser, which may take long. */
export type Head = (name: string) => string[];

export function headOf(bytes: Buffer): Head {
  const [head = ''] = bytes
    .subarray(0, maxHeadBytes)
    .toString()
    .split(/\r?\n\r?\n/, 1);
  const lines = head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/);
  return (name) =>
    lines.flatMap((line) =>
      line.slice(0, name.length + 1).toLowerCase() === `${name}:` ? line.slice(name.length + 1).trim() : [],
    );
}

/**
 * Returns the tokens of the reply addresses to which a mail was sent, the most reliable first.
 * @param recipient the recipient of the envelope, if the mail server names it
 */
export const tokensOfRecipients = (replies: RepliesAddress, head: Head, recipient?: string): string[] => [
  ...new Set(
    tokensIn(replies, [...(recipient === undefined ? [] : [recipient]), ...recipientHeaders.flatMap(head)]),
  ),
];

/** Returns the tokens in texts with reply addresses. The domain may be rewritten on the way. */
export function tokensIn({ local }: RepliesAddress, texts: readonly string[]): string[] {
  const escaped = local.replace(/[^A-Za-z0-9]/g, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
  const pattern = new RegExp(`(?<![^\\s<,;:"'])${escaped}\\+(${tokenForm})@`, 'giu');
  return texts.flatMap((text) => [...text.matchAll(pattern)].map(([, token = '']) => token.toLowerCase()));
}
