import { problem } from 'php-sessions/doctor';
import type { Chat } from '../chat/chat.ts';
import { mayUpload } from '../chat/messages/files.ts';
import { sendOffline } from '../chat/messages/offline.ts';
import { verifyAddress } from '../chat/questions/address.ts';
import type { Servers } from '../cluster/servers.ts';
import { Failures } from '../health/failures.ts';
import { placeOf } from '../mail/place.ts';
import { Mailbox } from '../mail/replies/mailbox.ts';
import { MailReplies, replyOutcomes } from '../mail/replies/replies.ts';
import { ReplyTokens } from '../mail/replies/tokens.ts';
import type { Config } from '../settings/config.ts';
import { RequestError } from '../wire/errors.ts';
import { isGuest } from '../wire/guest.ts';
import type { Attachments } from './attachments.ts';
import type { Notifications } from './notifications.ts';
import type { Telemetry } from './telemetry.ts';

/** The answers to mails. */
export interface OpenMailReplies {
  replies: MailReplies;
  /** Starts to read the mailbox, if there is one. Call it after `Servers.join`, because one of the servers reads it. */
  start(servers: Servers | undefined): void;
  /** Stops, and waits for the mail in progress. */
  stop(): Promise<void>;
}

/** Opens the answers to mails. Undefined if mails cannot be answered. */
export function openMailReplies(
  { mail, branding, maxMailBytes }: Config,
  {
    chat,
    attachments: { files, onUpload },
    notifications: { mails, notifier },
    metrics,
    quiet,
    health,
  }: Telemetry & { chat: Chat; attachments: Attachments; notifications: Notifications },
): OpenMailReplies | undefined {
  if (mail?.replies === undefined || mails === undefined) return undefined;
  for (const outcome of replyOutcomes) metrics.mailReplies.inc({ outcome }, 0);
  const replies = new MailReplies({
    address: mail.replies,
    from: mail.from.address,
    names: [mail.from.name, branding.name ?? ''],
    tokens: new ReplyTokens(chat.history, mail.replies),
    addressOf: (user) => mails.addressOf(user),
    send: (message) => sendOffline(chat, message),
    upload:
      files &&
      (async (room, author, { name, bytes }) => {
        // Guests cannot send files. The texts of their answers are posted without them.
        if (isGuest(author.id)) return undefined;
        const check = () => mayUpload(chat, author, room);
        await check();
        try {
          const file = await files.add({
            ...{ room, user: author.id, name, length: bytes.length, bytes: [bytes], check },
          });
          const code = 'code' in file ? file.code : 'ok';
          onUpload(code);
          metrics.uploads.inc({ code });
          return 'code' in file ? undefined : file.id;
        } catch (error) {
          // The user's budget of files is used up.
          if (error instanceof RequestError && error.code === 'rate_limited') return undefined;
          throw error;
        }
      }),
    answer: (answer) => mails.answer(answer),
    noteRejection: async (id, user) =>
      (await chat.history.write.noteMailRejection({ id, user, at: Date.now() })).repeated,
    dropRejection: (id) => chat.history.write.dropMailRejection({ id }),
    onBounced: (user, address) => mails.pause(user, address),
    onWritten(user) {
      notifier?.acted(user);
      if (isGuest(user)) verifyAddress(chat, user);
    },
    onFailure: (reason) =>
      quiet.warn('mail addresses', { reason }, 'could not read the mail address of who answered a mail'),
    onOutcome(outcome, reason) {
      metrics.mailReplies.inc({ outcome });
      if (!['posted', 'held', 'bounced'].includes(outcome))
        quiet.info(`mail reply ${outcome}`, { outcome, reason }, 'an answer by mail was not posted');
    },
  });
  const { replies: address, mailbox: place } = mail;
  if (place === undefined) return { replies, start() {}, stop: async () => {} };
  const where = placeOf(place, 'imap');
  const failures = new Failures();
  health.add({
    works: () => failures.isOver,
    describe: (works) =>
      works
        ? undefined
        : problem(
            `The mailbox with answers to mails at ${where} cannot be read: ${failures}.`,
            'Correct CHAT_MAIL_IN or the mail server. Answers wait in the mailbox.',
          ),
  });
  let mailbox: Mailbox | undefined;
  return {
    replies,
    start(servers) {
      mailbox = new Mailbox({
        place,
        address,
        maxBytes: maxMailBytes,
        isInCharge: () => servers === undefined || isFirst(servers),
        take: (bytes, isCut) => replies.take(bytes, { isCut }),
        onWorking: () => failures.worked(),
        onFailure(reason) {
          failures.failed(reason);
          quiet.warn('mailbox', { reason }, 'could not read answers to mails, retrying');
        },
      });
    },
    stop: async () => mailbox?.stop(),
  };
}

/** Whether this server has the first name of all working servers. */
const isFirst = (servers: Servers): boolean =>
  servers.states().every(({ name, working }) => !working || servers.own.name <= name);
