import PostalMime, { type Attachment, addressParser } from 'postal-mime';
import { isMailAddress } from '../../text/mail-address.ts';
import { type Bounce, bounceIn, isReport } from './bounce.ts';
import { textOfHtml } from './html-text.ts';
import { maxHeadBytes, type RepliesAddress } from './reply-address.ts';
import { hasSecret, replyIn } from './reply-text.ts';
import { namesInTnef } from './tnef.ts';

/** How an incoming mail is read. */
export interface ReadingOptions {
  replies: RepliesAddress;
  /** The address of the sender of the server's mails. */
  from: string;
  /** The names of that sender. */
  names: readonly string[];
}

/** An incoming mail, as far as it matters. */
export interface IncomingMail {
  /** The address in `From`, in lower case. Undefined unless the header clearly has exactly one address. */
  from: string | undefined;
  /** Without angle brackets. Undefined if it is missing or malformed. */
  messageId: string | undefined;
  /** Whether a program sent it, or a mailing list, so it must not be answered. */
  isAutomatic: boolean;
  /** Set if a mail of this server came back, because the address of its recipient does not work. */
  bounce: Bounce | undefined;
  /** The own text, without quotations and signature. */
  text: string;
  files: { name: string; bytes: Buffer }[];
  /** The names of files in `winmail.dat`, which cannot be read. */
  lost: string[];
}

/** Limits of the parser. */
const limits = { maxNestingDepth: 32, maxHeadersSize: maxHeadBytes, forceRfc822Attachments: true };

/** Maximum lines that may begin a part of a mail. The parser takes long for each part. */
const mostParts = 5000;
/** Maximum characters of the header `From`. */
const longestFrom = 2000;
/** Parts of the header in which addresses do not count. */
const quotedOrComment = /"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)/g;
/** The rest of a header with one address, and perhaps a name before it. */
const oneAddress = /^\s*(?:[^<>\s]+|[^<>]*<\s*[^<>\s]+\s*>)\s*$/;
/** Headers of mailing lists, and of automatic answers that do not use `Auto-Submitted`. */
const automaticHeaders =
  /^(?:list-id|list-unsubscribe|x-(?:[a-z]+-)?auto-?(?:repl(?:y|ied)|respond|generated).*|x-fc-machinegenerated)$/;
/** Senders of mail systems. */
const ofSystem = /^(?:mailer-daemon|postmaster|no-?reply)(?:[+@]|$)/i;

/** A picture in the text of at least this size is a file. Smaller ones are logos. */
const smallestPicture = 16 * 1024;
/** Types of attachments that mail programs add: signatures, and mails that only their recipient can decrypt. */
const ofPrograms = /^application\/(?:(?:x-)?pkcs7-(?:signature|mime)|pgp-(?:signature|encrypted))$/;
const tnefTypes = /^application\/(?:vnd\.)?ms-tnef$/;

/**
 * Reads a mail. Takes long for some mails, so it must not run in the server's own process.
 * @throws Error if it has too many parts or headers
 */
export async function readIncoming(
  bytes: Uint8Array,
  { replies, from: ownSender, names }: ReadingOptions,
): Promise<IncomingMail> {
  if (hasManyParts(bytes)) throw new Error(`the mail has more than ${mostParts} parts`);
  const mail = await PostalMime.parse(bytes, limits);
  const values = (name: string) => mail.headers.filter(({ key }) => key === name).map(({ value }) => value);
  const from = senderOf(values('from'));
  const { text: ofHtml = '', pictures = new Set<string>() } =
    mail.html === undefined ? {} : textOfHtml(mail.html);
  const text = mail.text?.trim() ? mail.text : ofHtml;
  const isEncrypted = values('content-type').some((value) => /^\s*multipart\/encrypted\b/i.test(value));
  const attachments = isEncrypted ? [] : mail.attachments;
  const { local, domain } = replies;
  const marks = {
    addresses: [ownSender, `${local}@${domain}`, `${local}+`].map((one) => one.toLowerCase()),
    names: names.filter((name) => name !== '').map((name) => name.toLowerCase()),
    secrets: [`${local}+`.toLowerCase(), '/stop?t='],
  };
  return {
    from,
    messageId: /^\s*<([\x21-\x3b\x3d\x3f-\x7e]{1,500})>\s*$/.exec(mail.messageId ?? '')?.[1],
    isAutomatic:
      isAutomatic(values, from) ||
      mail.headers.some(({ key }) => automaticHeaders.test(key)) ||
      from === ownSender.toLowerCase(),
    bounce: values('content-type').some(isReport) ? bounceIn(mail, replies) : undefined,
    text: replyIn(text, marks),
    files: attachments
      .filter((one) => !isTnef(one) && isFile(one, pictures) && !isQuotation(one, marks.secrets))
      .map(toFile),
    lost: attachments
      .filter(isTnef)
      .flatMap(({ content }) => namesInTnef(bytesOf(content)))
      .map((name) => name || 'winmail.dat'),
  };
}

function hasManyParts(bytes: Uint8Array): boolean {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let parts = 0;
  for (let at = all.indexOf('\n--'); at >= 0 && parts <= mostParts; at = all.indexOf('\n--', at + 1)) parts++;
  return parts > mostParts;
}

function senderOf([header, ...others]: readonly string[]): string | undefined {
  if (header === undefined || others.length > 0 || header.length > longestFrom) return undefined;
  // The mail server may read another address from a malformed header, and check the domain of that address.
  if (!oneAddress.test(header.replace(quotedOrComment, ''))) return undefined;
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
    has('return-path', /^\s*<\s*>/) ||
    values('content-type').some(isReport) ||
    ofSystem.test(from ?? '')
  );
}

/** Whether a user sent the attachment, and it is neither a logo nor a part of a quotation. */
function isFile(
  { related, disposition, contentId = '', mimeType, content }: Attachment,
  pictures: Set<string>,
): boolean {
  if (ofPrograms.test(mimeType)) return false;
  // Some programs put documents beside the text, too.
  if (!related || disposition === 'attachment' || !mimeType.startsWith('image/')) return true;
  return pictures.has(contentId.replace(/^<|>$/g, '')) && bytesOf(content).length >= smallestPicture;
}

/** Whether the attachment is the answered mail, or a part of it. */
const isQuotation = ({ mimeType, content }: Attachment, secrets: readonly string[]): boolean =>
  /^(?:message|text)\//.test(mimeType) && hasSecret(bytesOf(content).toString('latin1'), secrets);

const isTnef = ({ mimeType, filename }: Attachment): boolean =>
  tnefTypes.test(mimeType) || /^winmail\.dat$/i.test(filename ?? '');

const bytesOf = (content: Attachment['content']): Buffer =>
  typeof content === 'string' ? Buffer.from(content) : Buffer.from(content as ArrayBuffer);

const toFile = ({ filename, mimeType, content }: Attachment) => ({
  name: filename || `file.${/\/(\w{1,8})$/.exec(mimeType)?.[1] ?? 'bin'}`,
  bytes: bytesOf(content),
});
