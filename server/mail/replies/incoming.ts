import PostalMime, { type Attachment, addressParser } from 'postal-mime';
import { isMailAddress } from '../../text/mail-address.ts';
import { textOfHtml } from './html-text.ts';
import { type RepliesAddress, tokensIn } from './reply-address.ts';
import { replyIn } from './reply-text.ts';

/** How an incoming mail is read. */
export interface ReadingOptions {
  replies: RepliesAddress;
  /** The address of the sender of the server's mails. */
  from: string;
  /** The names of that sender. */
  names: readonly string[];
  /** The recipient of the envelope, if the mail server names it. */
  recipient?: string | undefined;
}

/** An incoming mail, as far as it matters. */
export interface IncomingMail {
  /** The only address in `From`, in lower case. Undefined if there is none, or more than one. */
  from: string | undefined;
  /** Without angle brackets. Undefined if it is missing or malformed. */
  messageId: string | undefined;
  /** Whether a program sent it, or a mailing list, so it must not be answered. */
  isAutomatic: boolean;
  /** The tokens of the reply addresses to which it was sent, the most reliable first. */
  tokens: string[];
  /** The own text, without quotations and signature. */
  text: string;
  files: { name: string; bytes: Buffer }[];
}

/** Limits of the parser. */
const limits = { maxNestingDepth: 32, maxHeadersSize: 256 * 1024, forceRfc822Attachments: true };

/** Maximum characters of the header `From`. */
const longestFrom = 2000;
/** Headers that name the recipient of the envelope, and then those that the sender wrote. */
const recipientHeaders = ['delivered-to', 'x-original-to', 'envelope-to', 'x-envelope-to', 'to', 'cc'];
/** Headers of automatic answers that do not use `Auto-Submitted`. */
const automaticHeaders = ['list-id', 'list-unsubscribe', 'x-autoreply', 'x-autorespond', 'x-autoresponder'];
/** Senders of mail systems. */
const ofSystem = /^(?:mailer-daemon|postmaster|no-?reply)(?:[+@]|$)/i;

/** A picture in the text of at least this size is a file. Smaller ones are logos. */
const smallestPicture = 16 * 1024;
/** Types of attachments that mail programs add. */
const ofPrograms = /^application\/(?:pkcs7-signature|x-pkcs7-signature|pgp-signature|pgp-encrypted)$/;

/** Reads a mail. Takes long for some mails, so it must not run in the server's own process. */
export async function readIncoming(
  bytes: Uint8Array,
  { replies, from: ownSender, names, recipient }: ReadingOptions,
): Promise<IncomingMail> {
  const mail = await PostalMime.parse(bytes, limits);
  const values = (name: string) => mail.headers.filter(({ key }) => key === name).map(({ value }) => value);
  const headers = [...(recipient === undefined ? [] : [recipient]), ...recipientHeaders.flatMap(values)];
  const from = senderOf(values('from'));
  const { text: ofHtml = '', pictures = new Set<string>() } =
    mail.html === undefined ? {} : textOfHtml(mail.html);
  const text = mail.text?.trim() ? mail.text : ofHtml;
  const { local, domain } = replies;
  const marks = {
    addresses: [ownSender, `${local}@${domain}`, `${local}+`].map((one) => one.toLowerCase()),
    names: names.filter((name) => name !== '').map((name) => name.toLowerCase()),
    secrets: [`${local}+`.toLowerCase(), '/stop?t='],
  };
  return {
    from,
    messageId: /^\s*<([\x21-\x3b\x3d\x3f-\x7e]{1,500})>\s*$/.exec(mail.messageId ?? '')?.[1],
    isAutomatic: isAutomatic(values, from) || from === ownSender.toLowerCase(),
    tokens: [...new Set(tokensIn(replies, headers))],
    text: replyIn(text, marks),
    files: mail.attachments.filter((one) => isFile(one, pictures)).map(toFile),
  };
}

function senderOf([header, ...others]: readonly string[]): string | undefined {
  if (header === undefined || others.length > 0 || header.length > longestFrom) return undefined;
  const [sender, ...more] = addressParser(header, { flatten: true });
  const address = sender?.address?.trim() ?? '';
  return more.length === 0 && isMailAddress(address) ? address.toLowerCase() : undefined;
}

/** Whether a program or a mailing list sent the mail (RFC 3834). */
function isAutomatic(values: (name: string) => string[], from: string | undefined): boolean {
  const has = (name: string, form: RegExp) => values(name).some((value) => form.test(value));
  return (
    has('auto-submitted', /^\s*(?!no\b)\S/i) ||
    has('precedence', /^\s*(?:bulk|list|junk|auto[-_]reply)\b/i) ||
    automaticHeaders.some((name) => values(name).length > 0) ||
    has('return-path', /^\s*<\s*>/) ||
    has('content-type', /^\s*multipart\/report\b/i) ||
    ofSystem.test(from ?? '')
  );
}

/** Whether a user sent the attachment, and it is neither a logo nor a part of a quotation. */
function isFile({ related, contentId = '', mimeType, content }: Attachment, pictures: Set<string>): boolean {
  if (ofPrograms.test(mimeType)) return false;
  if (!related) return true;
  return pictures.has(contentId.replace(/^<|>$/g, '')) && bytesOf(content).length >= smallestPicture;
}

const bytesOf = (content: Attachment['content']): Buffer =>
  typeof content === 'string' ? Buffer.from(content) : Buffer.from(content as ArrayBuffer);

const toFile = ({ filename, mimeType, content }: Attachment) => ({
  name: filename || `file.${/\/(\w{1,8})$/.exec(mimeType)?.[1] ?? 'bin'}`,
  bytes: bytesOf(content),
});
