import { createHash } from 'node:crypto';

/** Returns the form in which the history stores tokens and addresses of mails: SHA-256 in hex. */
export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
