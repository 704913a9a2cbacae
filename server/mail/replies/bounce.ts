import { type Attachment, addressParser, type Email } from 'postal-mime';
import { headOf, type RepliesAddress, tokensIn } from './reply-address.ts';

/** A report that a mail of this server could not be delivered (RFC 3464). */
export interface Bounce {
  /** The address of the recipient, in lower case. */
  to: string;
  /** The enhanced status code, such as `5.1.1`. */
  status: string;
  /** The token in the headers of that mail, which proves that the report is about it. */
  token: string;
}

const statusTypes = /^message\/(?:global-)?delivery-status$/;
const returnedTypes = /^(?:message\/(?:rfc822|global|global-headers)|text\/rfc822-headers)$/;
/** Maximum bytes of the parts that are read. */
const longest = 64 * 1024;

/** Whether a mail with this header `Content-Type` is a report of a mail system (RFC 6522). */
export const isReport = (contentType: string): boolean => /^\s*multipart\/report\b/i.test(contentType);

/** Whether the address itself does not work. Full mailboxes, temporary failures and policies are other causes. */
const isAboutAddress = (status: string): boolean => /^5\.(?:0\.0|1\.\d{1,3}|2\.[01]|4\.4)$/.test(status);

/** Returns the report in a mail, if a mail of this server failed because its recipient's address does not work. */
export function bounceIn({ attachments }: Email, replies: RepliesAddress): Bounce | undefined {
  const partOf = (types: RegExp) => bytesOf(attachments.find(({ mimeType }) => types.test(mimeType)));
  const report = partOf(statusTypes).toString();
  const status = /^status:\s*(\d\.\d{1,3}\.\d{1,3})/im.exec(report)?.[1] ?? '';
  if (!/^action:\s*failed\b/im.test(report) || !isAboutAddress(status)) return undefined;
  const head = headOf(partOf(returnedTypes));
  const [recipient, ...others] = addressParser(head('to').join(','), { flatten: true });
  const [token] = tokensIn(replies, head('reply-to'));
  if (recipient?.address === undefined || others.length > 0 || token === undefined) return undefined;
  return { to: recipient.address.trim().toLowerCase(), status, token };
}

const bytesOf = (part: Attachment | undefined): Buffer =>
  part === undefined || typeof part.content === 'string'
    ? Buffer.alloc(0)
    : Buffer.from(part.content as ArrayBuffer).subarray(0, longest);
