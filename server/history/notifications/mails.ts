import { sql } from '../engine/dialect.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import { aboutUser, isGone } from '../erasure/erasures.ts';

/** Where mails to a user go. */
interface StoredMailAddress {
  user: string;
  /** As the user's session has said it last; absent if it has not. */
  address?: string;
  /** The digest of the address that takes no mail. */
  refused?: string;
}

/** Milliseconds for which the link in a mail stops mails; laws ask for 30 days. */
export const mailStopsFor = 60 * 24 * 60 * 60 * 1000;

/** A link in a mail that switches mails to a user off. */
interface StoredMailStop {
  /** The digest of its token. */
  id: string;
  user: string;
  /** When the mail was sent, in milliseconds since 1970. */
  at: number;
}

export interface MailWrites {
  /** Changes what is given; null forgets the address. A user who is being erased, or not known, is not noted. */
  noteMailAddress: { in: Omit<StoredMailAddress, 'address'> & { address?: string | null }; out: Nothing };
  addMailStop: { in: StoredMailStop; out: Nothing };
  /** Forgets links of mails from before that time. */
  forgetMailStops: { in: { before: number }; out: Nothing };
}

export interface MailReads {
  mailAddress: { in: { user: string }; out: StoredMailAddress };
  /** The link with that digest; null if it is not known. */
  mailStop: { in: { id: string }; out: StoredMailStop | null };
}

/** Where mails to users go. */
export const mailAddresses = table<StoredMailAddress>(
  'chat_mail_addresses',
  ['user'],
  { user: 'user_id', address: 'address', refused: 'refused' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The links in mails that stop mails. */
export const mailStops = table<StoredMailStop>(
  'chat_mail_stops',
  ['id'],
  { id: 'id', user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

export const noteMailAddress: Rule<MailWrites['noteMailAddress']> = {
  needs: ({ user }) => [rows(mailAddresses, { user }), ...aboutUser(user)],
  run(work, { user, ...set }) {
    const [known] = work.find(mailAddresses, { user });
    const { address, ...row } = { ...known, ...set, user };
    if (!isGone(work, user)) work.put(mailAddresses, { ...row, ...(address ? { address } : {}) });
    return {};
  },
};

export const addMailStop: Rule<MailWrites['addMailStop']> = {
  needs: ({ id, user }) => [rows(mailStops, { id }), ...aboutUser(user)],
  run(work, stop) {
    work.find(mailStops, { id: stop.id });
    if (!isGone(work, stop.user)) work.put(mailStops, stop);
    return {};
  },
};

export const forgetMailStops: Rule<MailWrites['forgetMailStops']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_mail_stops WHERE at < ${before}`);
    return {};
  },
};

export const mailReads: ReadsOf<MailReads> = {
  *mailAddress(_, { user }) {
    const [address = { user }] = yield* findRows(mailAddresses, sql`WHERE user_id = ${user}`);
    return address;
  },
  *mailStop(_, { id }) {
    const [stop = null] = yield* findRows(mailStops, sql`WHERE id = ${id}`);
    return stop;
  },
};
