import type { Chat } from '../chat/chat.ts';
import { mayUpload } from '../chat/messages/files.ts';
import { sendOffline } from '../chat/messages/offline.ts';
import { MailReplies } from '../mail/replies/replies.ts';
import { ReplyTokens } from '../mail/replies/tokens.ts';
import type { Config } from '../settings/config.ts';
import { RequestError } from '../wire/errors.ts';
import type { Attachments } from './attachments.ts';
import type { Notifications } from './notifications.ts';
import type { Telemetry } from './telemetry.ts';

/** Opens the answers to mails. Undefined if mails cannot be answered. */
export function openMailReplies(
  { mail, branding }: Config,
  {
    chat,
    attachments: { files, onUpload },
    notifications: { mails, notifier },
    metrics,
    quiet,
  }: Telemetry & { chat: Chat; attachments: Attachments; notifications: Notifications },
): MailReplies | undefined {
  if (mail?.replies === undefined || mails === undefined) return undefined;
  return new MailReplies({
    address: mail.replies,
    from: mail.from.address,
    names: [mail.from.name, branding.name ?? ''],
    tokens: new ReplyTokens(chat.history, mail.replies),
    addressOf: (user) => mails.addressOf(user),
    send: (message) => sendOffline(chat, message),
    upload:
      files &&
      (async (room, author, { name, bytes }) => {
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
    onWritten: (user) => notifier?.acted(user),
    onOutcome(outcome, reason) {
      metrics.mailReplies.inc({ outcome });
      if (!['posted', 'held'].includes(outcome))
        quiet.info(`mail reply ${outcome}`, { outcome, reason }, 'an answer by mail was not posted');
    },
  });
}
