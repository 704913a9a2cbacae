import { sql } from '../engine/dialect.ts';
import { expiryOf, type Forget, forgetting } from '../engine/expired-rows.ts';
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

/** How long a mail can be answered, in ms. People also answer mails that they find weeks later. */
export const mailRepliesFor = 90 * 24 * 60 * 60 * 1000;

/** A token is stored for this time, in ms, so that the user is told that an answer came too late. */
export const mailRepliesStoredFor = 2 * mailRepliesFor;

/** The token in the reply address of a mail about one room. */
export interface StoredMailReply {
  /** The digest of the token. */
  id: string;
  /** The reader of the mail. */
  user: string;
  /** The room. It may be deleted since, and another room may have the ID. */
  roomId: string;
  /** The last message that the mail showed. Absent if it showed none. */
  seq?: number | undefined;
  /** When the mail was sent, as Unix ms. */
  at: number;
}

/** A rejected answer to a mail. */
interface StoredMailRejection {
  /** The same for each delivery of the answer. */
  id: string;
  user: string;
  /** When it was rejected, as Unix ms. */
  at: number;
}

export interface MailWrites {
  /** Updates the given fields; null deletes the address. No-op for a user who is unknown or being erased. */
  noteMailAddress: { in: Omit<StoredMailAddress, 'address'> & { address?: string | null }; out: Nothing };
  /** Stores the unsubscribe token of a mail. No-op for a user who is unknown or being erased. */
  addMailStop: { in: StoredMailStop; out: Nothing };
  /** Deletes the tokens of mails sent before this time. */
  forgetMailStops: Forget;
  /** Stores the reply token of a mail. No-op for a user who is unknown or being erased. */
  addMailReply: { in: StoredMailReply; out: Nothing };
  /** Deletes the reply tokens of mails sent before this time. */
  forgetMailReplies: Forget;
  /** Stores that an answer was rejected. `repeated`: it was before. Not stored for a user who is unknown or being erased. */
  noteMailRejection: { in: StoredMailRejection; out: { repeated: boolean } };
  /** Deletes a rejection about which no mail could be sent. */
  dropMailRejection: { in: { id: string }; out: Nothing };
  /** Deletes rejections before this time. */
  forgetMailRejections: Forget;
}

export interface MailReads {
  mailAddress: { in: { user: string }; out: StoredMailAddress };
  /** Finds a token by its digest. */
  mailStop: { in: { id: string }; out: StoredMailStop | null };
  /** Finds a reply token by its digest. */
  mailReply: { in: { id: string }; out: StoredMailReply | null };
}

/** The mail addresses of users, and of guests with a question. */
export const mailAddresses = table<StoredMailAddress>(
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

/** The reply tokens of sent mails. */
export const mailReplies = table<StoredMailReply>(
  'chat_mail_replies',
  ['id'],
  { id: 'id', user: 'user_id', roomId: 'room_id', seq: 'seq', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The rejected answers to mails. */
const mailRejections = table<StoredMailRejection>(
  'chat_mail_rejected',
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

const forgetMailStops = forgetting(expiryOf(mailStops, 'at'));

const addMailReply: Rule<MailWrites['addMailReply']> = {
  needs: ({ id, user }) => [rows(mailReplies, { id }), ...aboutUser(user)],
  run(work, reply) {
    work.find(mailReplies, { id: reply.id });
    if (!isGone(work, reply.user)) work.put(mailReplies, reply);
    return {};
  },
};

const forgetMailReplies = forgetting(expiryOf(mailReplies, 'at'));

const noteMailRejection: Rule<MailWrites['noteMailRejection']> = {
  needs: ({ id, user }) => [rows(mailRejections, { id }), ...aboutUser(user)],
  run(work, rejection) {
    const repeated = work.find(mailRejections, { id: rejection.id }).length > 0;
    if (!repeated && !isGone(work, rejection.user)) work.put(mailRejections, rejection);
    return { repeated };
  },
};

const dropMailRejection: Rule<MailWrites['dropMailRejection']> = {
  needs: ({ id }) => [rows(mailRejections, { id })],
  run(work, { id }) {
    if (work.find(mailRejections, { id }).length > 0) work.remove(mailRejections, { id });
    return {};
  },
};

const forgetMailRejections = forgetting(expiryOf(mailRejections, 'at'));

const reads: ReadsOf<MailReads> = {
  *mailAddress(_, { user }) {
    const [address = { user }] = yield* findRows(mailAddresses, sql`WHERE user_id = ${user}`);
    return address;
  },
  *mailStop(_, { id }) {
    const [stop = null] = yield* findRows(mailStops, sql`WHERE id = ${id}`);
    return stop;
  },
  *mailReply(_, { id }) {
    const [reply = null] = yield* findRows(mailReplies, sql`WHERE id = ${id}`);
    return reply;
  },
};

export const mailSubject = subject<MailWrites, MailReads>({
  tables: [mailAddresses, mailStops, mailReplies, mailRejections],
  rules: {
    noteMailAddress,
    addMailStop,
    forgetMailStops,
    addMailReply,
    forgetMailReplies,
    noteMailRejection,
    dropMailRejection,
    forgetMailRejections,
  },
  reads,
});
