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

/** An address pattern that finds the tokens in the headers of a mail. The domain may be rewritten on the way. */
export function tokensIn({ local }: RepliesAddress, headers: readonly string[]): string[] {
  const escaped = local.replace(/[^A-Za-z0-9]/g, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
  const pattern = new RegExp(`(?<![^\\s<,;:"'])${escaped}\\+(${tokenForm})@`, 'giu');
  return headers.flatMap((header) =>
    [...header.matchAll(pattern)].map(([, token = '']) => token.toLowerCase()),
  );
}
