import { sql } from '../engine/dialect.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import { aboutUser, isGone } from '../rows/erasures.ts';

/** The mail address of a user. */
interface StoredMailAddress {
  user: string;
  /** The address from the user's latest session; absent if no session had one. */
  address?: string;
  /** The digest of an address that the mail server rejects permanently. */
  refused?: string;
}

/** How long the unsubscribe link of a mail works, in ms. Laws require 30 days. */
export const mailStopsFor = 60 * 24 * 60 * 60 * 1000;

/** The unsubscribe token in a mail. It turns off mails to its user. */
interface StoredMailStop {
  /** The digest of the token. */
  id: string;
  user: string;
  /** When the mail was sent, as Unix ms. */
  at: number;
}

export interface MailWrites {
  /** Updates the given fields; null deletes the address. No-op for a user who is unknown or being erased. */
  noteMailAddress: { in: Omit<StoredMailAddress, 'address'> & { address?: string | null }; out: Nothing };
  /** Stores the unsubscribe token of a mail. No-op for a user who is unknown or being erased. */
  addMailStop: { in: StoredMailStop; out: Nothing };
  /** Deletes the tokens of mails sent before this time. */
  forgetMailStops: { in: { before: number }; out: Nothing };
}

export interface MailReads {
  mailAddress: { in: { user: string }; out: StoredMailAddress };
  /** Finds a token by its digest. */
  mailStop: { in: { id: string }; out: StoredMailStop | null };
}

/** The mail addresses of users. */
const mailAddresses = table<StoredMailAddress>(
  'chat_mail_addresses',
  ['user'],
  { user: 'user_id', address: 'address', refused: 'refused' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The unsubscribe tokens of sent mails. */
export const mailStops = table<StoredMailStop>(
  'chat_mail_stops',
  ['id'],
  { id: 'id', user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

const noteMailAddress: Rule<MailWrites['noteMailAddress']> = {
  needs: ({ user }) => [rows(mailAddresses, { user }), ...aboutUser(user)],
  run(work, { user, ...set }) {
    const [stored] = work.find(mailAddresses, { user });
    const { address, ...row } = { ...stored, ...set, user };
    if (!isGone(work, user)) work.put(mailAddresses, { ...row, address: address || undefined });
    return {};
  },
};

const addMailStop: Rule<MailWrites['addMailStop']> = {
  needs: ({ id, user }) => [rows(mailStops, { id }), ...aboutUser(user)],
  run(work, stop) {
    work.find(mailStops, { id: stop.id });
    if (!isGone(work, stop.user)) work.put(mailStops, stop);
    return {};
  },
};

const forgetMailStops: Rule<MailWrites['forgetMailStops']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_mail_stops WHERE at < ${before}`);
    return {};
  },
};

const reads: ReadsOf<MailReads> = {
  *mailAddress(_, { user }) {
    const [address = { user }] = yield* findRows(mailAddresses, sql`WHERE user_id = ${user}`);
    return address;
  },
  *mailStop(_, { id }) {
    const [stop = null] = yield* findRows(mailStops, sql`WHERE id = ${id}`);
    return stop;
  },
};

export const mailSubject = subject<MailWrites, MailReads>({
  tables: [mailAddresses, mailStops],
  rules: { noteMailAddress, addMailStop, forgetMailStops },
  reads,
});
