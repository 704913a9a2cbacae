import { createHash, randomUUID } from 'node:crypto';
import { domainToASCII } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { History, StoredMessage } from '../history/history.ts';
import type { About, SendMail } from '../notify/due.ts';
import { NotificationTexts } from '../notify/texts.ts';
import { isMailAddress, type Mailbox } from './address.ts';
import { letterOf } from './letter.ts';
import { type MailServer, openMailServer } from './mail-server.ts';
import type { MailPlace } from './place.ts';
import type { MailStops } from './stops.ts';
import { type WriteMail, write } from './templates.ts';

export interface MailsOptions {
  server: MailPlace;
  from: Mailbox;
  /** Whether the site lets the texts of messages into mails. */
  text: boolean;
  /** By the owner's templates; absent: by ours. */
  write?: WriteMail | undefined;
  /** The page with the chat. */
  pageUrl: string;
  history: Pick<History, 'read' | 'write'>;
  stops: MailStops;
  /** The address of a user in the site's own tables; absent if it is that of the session. @throws Error if they cannot be read */
  addressOf?: ((user: string) => Promise<string | null>) | undefined;
  /** Called when a mail was not sent that should have been. `reason` holds neither address nor name. */
  onFailure(reason: string): void;
}

/** Milliseconds for which nothing is sent after a failure of the mail server: many wrong logins may lock its account. */
const downFor = 60_000;

/** Mails people who are away. */
export class Mails {
  readonly #options: MailsOptions;
  readonly #server: MailServer;
  readonly #write: WriteMail;
  #downUntil = 0;
  /** The sender's, as people read it. */
  readonly #domain: string;
  /** The part of ids of mails after the `@`: headers of ids take ASCII alone. */
  readonly #idDomain: string;

  private constructor(options: MailsOptions, server: MailServer) {
    this.#options = options;
    this.#server = server;
    this.#write = options.write ?? write;
    this.#domain = options.from.address.slice(options.from.address.lastIndexOf('@') + 1);
    this.#idDomain = domainToASCII(this.#domain) || 'localhost';
  }

  static async open(options: MailsOptions): Promise<Mails> {
    return new Mails(options, await openMailServer(options.server));
  }

  /** Sends one mail. */
  readonly send: SendMail = async (user, about) => {
    try {
      return await this.#send(user, about);
    } catch (error) {
      this.#options.onFailure((error as Error).message);
      return 'failed';
    }
  };

  async #send(...[id, about]: Parameters<SendMail>): ReturnType<SendMail> {
    const { history, stops, from, text, pageUrl, onFailure } = this.#options;
    if (Date.now() < this.#downUntil) return 'failed';
    const to = await this.addressOf(id);
    if (to === undefined) return 'no_address';
    const { refused } = await history.read.mailAddress({ user: id });
    if (refused === digestOf(to)) return 'refused';
    const stopUrl = await stops.link(id);
    // The site's table may have taken a while to answer.
    const found = await about();
    if (found === undefined) return undefined;
    const { settings } = found;
    const { user, total, rooms } = found.unread;
    const texts = new NotificationTexts(settings.lang, settings.zone);
    const letter = letterOf(user, total, rooms, {
      texts,
      shows: settings.text === 'text' && !text ? 'name' : settings.text,
      byChoice: settings.text !== 'text',
      mail: settings.mail === 'off' ? 'daily' : settings.mail,
      pageUrl,
      stopUrl,
      now: Date.now(),
    });
    let left: About | undefined = found;
    const outcome = await this.#server.send({
      from,
      to,
      subject: letter.title,
      ...this.#write(letter, from.name || this.#domain, texts),
      id: `${randomUUID()}@${this.#idDomain}`,
      thread: this.#threadOf(to, settings.text === 'nothing' ? '' : (rooms[0]?.room ?? '')),
      headers: {
        'List-Unsubscribe': `<${stopUrl}>`,
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
        'Auto-Submitted': 'auto-generated',
        Precedence: 'bulk',
      },
      async isCurrent() {
        try {
          left = await about();
        } catch (error) {
          onFailure((error as Error).message);
          return false;
        }
        return left !== undefined && holdsStill(found, left);
      },
    });
    if (outcome.is === 'sent') return 'sent';
    if (outcome.is === 'outdated') return left === undefined ? undefined : 'failed';
    onFailure(outcome.reason);
    if (outcome.is === 'refused') {
      await history.write.noteMailAddress({ user: id, refused: digestOf(to) });
    }
    if (outcome.is === 'down' || outcome.is === 'lost') this.#downUntil = Date.now() + downFor;
    return outcome.is === 'down' ? 'failed' : outcome.is;
  }

  /** Where mails to this user go; undefined if that is not known. @throws Error if it cannot be read now */
  async addressOf(user: string): Promise<string | undefined> {
    const { history, addressOf } = this.#options;
    const address = addressOf ? await addressOf(user) : (await history.read.mailAddress({ user })).address;
    const trimmed = address?.trim() ?? '';
    return isMailAddress(trimmed) ? trimmed : undefined;
  }

  /** Ends the mails under way. */
  close(): void {
    this.#server.close();
  }

  /**
   * Mails to one address about the same room are one thread. To two addresses they are not: who sees both mails, such as a
   * provider of mailboxes, would learn that they share a room.
   * @param room empty for readers who want no names: room ids are short words often, and could be tried
   */
  #threadOf(to: string, room: string): string {
    return `${digestOf(`${this.#options.pageUrl} ${to} ${room}`).slice(0, 32)}@${this.#idDomain}`;
  }
}

/** Whether all that a mail says is so now, but for its numbers: more may be unread. */
function holdsStill(said: About, now: About): boolean {
  if (!isDeepStrictEqual(said.settings, now.settings)) return false;
  return said.unread.rooms.every(({ room, name, messages }) => {
    const left = now.unread.rooms.find((one) => one.room === room && one.name === name);
    const isThere = (one: StoredMessage) =>
      left?.messages.some((other) => isDeepStrictEqual(shownOf(one), shownOf(other)));
    return left !== undefined && messages.every(isThere);
  });
}

const shownOf = ({ id, user, text, files, mentions }: StoredMessage) => ({ id, user, text, files, mentions });

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');
