import { randomUUID } from 'node:crypto';
import { domainToASCII } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { History, StoredMessage } from '../history/history.ts';
import { RateLimit } from '../limits/by-key.ts';
import type { About, Mailer, SendMail } from '../notify/due.ts';
import { nameFor } from '../notify/lines.ts';
import { NotificationTexts } from '../notify/texts.ts';
import type { UnreadRoom } from '../notify/unread.ts';
import { isMailAddress, withoutTag } from '../text/mail-address.ts';
import type { Branding } from '../wire/branding.ts';
import { isGuest } from '../wire/guest.ts';
import type { Mailbox } from './address.ts';
import { digestOf } from './digest.ts';
import type { MailSite } from './html.ts';
import { letterOf, unlinkedLine } from './letter.ts';
import { type Mail, type MailOutcome, type MailServer, openMailServer } from './mail-server.ts';
import { MailPauses } from './pauses.ts';
import type { MailPlace } from './place.ts';
import { type AnswerKind, writeAnswer } from './replies/answer.ts';
import type { ReplyTokens } from './replies/tokens.ts';
import type { MailStops } from './stops.ts';
import { type WriteMail, write } from './templates.ts';

export interface MailsOptions {
  server: MailPlace;
  from: Mailbox;
  branding: Branding;
  /** Whether the site allows message texts in mails. */
  text: boolean;
  /** Renders the operator's templates. Default: the built-in ones. */
  write?: WriteMail | undefined;
  /** The URL of the chat page. */
  pageUrl: string;
  history: Pick<History, 'read' | 'write'>;
  stops: MailStops;
  /** The reply addresses of mails. Absent if mails cannot be answered. */
  replies?: ReplyTokens | undefined;
  /**
   * Returns the address of a user from the site's own tables. Absent if the address from the session is used.
   * @throws Error if the tables cannot be read
   */
  addressOf?: ((user: string) => Promise<string | null>) | undefined;
  /**
   * Called when a mail could not be sent. `reason` contains no address and no name.
   * @param user given if the address of this user may be the cause
   */
  onFailure(reason: string, user?: string): void;
}

/**
 * Mails to guests that one mailbox gets, because anyone can enter the address of another person. The number of guests who
 * have an address is not limited: an error would tell others that it is in use.
 */
const mailsToGuests = { count: 3, ms: 60 * 60_000 };

/** Sends mails to offline users. */
export class Mails implements Mailer {
  readonly #options: MailsOptions;
  readonly #server: MailServer;
  readonly #write: WriteMail;
  readonly #pauses = new MailPauses();
  readonly #toGuests = new RateLimit(mailsToGuests);
  /** The sender's domain as readers see it. */
  readonly #domain: string;
  /** The domain of message IDs. Headers with IDs must be ASCII. */
  readonly #idDomain: string;

  private constructor(options: MailsOptions, server: MailServer) {
    this.#options = options;
    this.#server = server;
    this.#write = options.write ?? write;
    this.#domain = domainOf(options.from.address);
    this.#idDomain = domainToASCII(this.#domain) || 'localhost';
  }

  static async open(options: MailsOptions): Promise<Mails> {
    return new Mails(options, await openMailServer(options.server));
  }

  get pausedUntil(): number {
    return this.#pauses.until;
  }

  readonly send: SendMail = async (user, about) => {
    try {
      return await this.#send(user, about);
    } catch (error) {
      this.#options.onFailure((error as Error).message);
      return 'failed';
    }
  };

  async #send(...[id, about]: Parameters<SendMail>): ReturnType<SendMail> {
    const { history, stops, replies, from, branding, text, pageUrl, onFailure } = this.#options;
    const to = await this.addressOf(id);
    if (to === undefined) return 'no_address';
    const { refused } = await history.read.mailAddress({ user: id });
    if (refused === digestOf(to)) return 'refused';
    const stopUrl = await stops.link(id);
    // Read after the address, because the site's table may have been slow.
    const found = await about();
    if (found === undefined) return undefined;
    const { settings } = found;
    const { user, total, rooms } = found.unread;
    const texts = new NotificationTexts(settings.lang, settings.zone);
    // A guest left the address to get the answer.
    const shows = settings.text === 'text' && !text && !isGuest(id) ? 'name' : settings.text;
    const room = answerableRoom(rooms, shows);
    const replyTo =
      room && (await replies?.address({ user: id, room: room.room, seq: lastShown(room, shows) }));
    const { site, picture } = this.#look();
    const named = rooms.map((one) => ({ ...one, name: nameFor(one, shows, texts) }));
    const letter = letterOf(user, total, named, {
      texts,
      shows,
      byChoice: settings.text !== 'text',
      answerable: replyTo !== undefined,
      isNew: found.unread.isNew === true,
      mail: settings.mail === 'off' ? 'daily' : settings.mail,
      siteName: site.name,
      pageUrl,
      stopUrl,
      now: Date.now(),
    });
    const content = this.#write(letter, site, texts);
    let left: About | undefined = found;
    const domain = domainOf(to);
    const mailbox = withoutTag(to).toLowerCase();
    const takenAt = performance.now();
    const waitMs = isGuest(id) ? this.#toGuests.take(mailbox, 1, takenAt) : null;
    if (waitMs !== null) return { pausedUntil: Date.now() + waitMs };
    const pausedUntil = this.#pauses.start(domain);
    if (pausedUntil !== undefined) {
      this.#toGuests.giveBack(mailbox, takenAt);
      return { pausedUntil };
    }
    const outcome = await this.#server.send({
      from: { ...from, name: from.name || (branding.name ?? '') },
      to,
      replyTo,
      subject: letter.title,
      ...content,
      // Templates may leave the logo out.
      picture: picture && content.html.includes(`cid:${picture.id}`) ? picture : undefined,
      id: `${randomUUID()}@${this.#idDomain}`,
      thread: this.#threadOf(to, settings.text === 'nothing' ? '' : (rooms[0]?.room ?? '')),
      headers: {
        'List-Unsubscribe': `<${stopUrl}>`,
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
        'Auto-Submitted': 'auto-generated',
        Precedence: 'bulk',
        // Exchange does not know the other headers.
        ...(replyTo !== undefined && { 'X-Auto-Response-Suppress': 'OOF, AutoReply' }),
      },
      isCurrent: async () => {
        try {
          left = await about();
          // A guest who changed the address would get the tokens at the former one: see `setQuestionAddress`.
          if (isGuest(id) && (await this.addressOf(id)) !== to) return false;
        } catch (error) {
          onFailure((error as Error).message);
          return false;
        }
        return left !== undefined && holdsStill(found, left);
      },
    });
    this.#pauses.end(id, domain, outcome.is);
    if (outcome.is !== 'sent') this.#toGuests.giveBack(mailbox, takenAt);
    if (outcome.is === 'sent') return 'sent';
    if (outcome.is === 'outdated') return left === undefined ? undefined : 'failed';
    onFailure(outcome.reason, outcome.is === 'down' ? undefined : id);
    if (outcome.is === 'refused') await this.pause(id, to);
    return outcome.is === 'down' || outcome.is === 'broken' ? 'failed' : outcome.is;
  }

  /**
   * Stops mails about unread messages to this address of a user. Deletes the address of a guest, because the team sees
   * whether a guest has one, and the guest can enter another address.
   */
  async pause(user: string, address: string): Promise<void> {
    if (isGuest(user)) return this.#options.stops.forgetGuest(user);
    await this.#options.history.write.noteMailAddress({ user, refused: digestOf(address) });
  }

  /**
   * Sends a mail about an answer by mail to its sender.
   * @param inReplyTo the message ID of the answer, without angle brackets
   */
  async answer({
    user,
    to,
    kind,
    files,
    inReplyTo,
  }: {
    user: string;
    to: string;
    kind: AnswerKind;
    files: readonly string[];
    inReplyTo: string | undefined;
  }): Promise<MailOutcome['is']> {
    const { history, from, branding, pageUrl } = this.#options;
    const { notices } = await history.read.notices({ user });
    const names = files.map(unlinkedLine);
    const content = writeAnswer(kind, names, pageUrl, new NotificationTexts(notices.lang, notices.zone));
    const id = `${randomUUID()}@${this.#idDomain}`;
    const { is } = await this.#server.send({
      from: { ...from, name: from.name || (branding.name ?? '') },
      to,
      ...content,
      id,
      thread: inReplyTo ?? id,
      headers: { 'Auto-Submitted': 'auto-replied', 'X-Auto-Response-Suppress': 'All' },
      isCurrent: async () => true,
    });
    return is;
  }

  /** Returns the look of the site, and the logo to attach. */
  #look(): { site: MailSite; picture: Mail['picture'] } {
    const { from, branding } = this.#options;
    const { name = from.name || this.#domain, accent, logo } = branding;
    if (logo === undefined) return { site: { name, accent }, picture: undefined };
    const { type, bytes, width, height } = logo;
    const id = `logo@${this.#idDomain}`;
    return {
      site: { name, accent, logo: { address: `cid:${id}`, width, height } },
      picture: { id, name: type === 'image/png' ? 'logo.png' : 'logo.jpg', type, bytes },
    };
  }

  /** Returns the mail address of a user, or undefined if unknown. @throws Error if it cannot be read now */
  async addressOf(user: string): Promise<string | undefined> {
    const { history, addressOf } = this.#options;
    // The site does not know guests.
    const isOfSite = addressOf !== undefined && !isGuest(user);
    const address = isOfSite ? await addressOf(user) : (await history.read.mailAddress({ user })).address;
    const trimmed = address?.trim() ?? '';
    return isMailAddress(trimmed) ? trimmed : undefined;
  }

  /** Aborts the mails in flight. */
  close(): void {
    this.#server.close();
  }

  /**
   * Returns the ID of the thread of all mails to an address about a room. It differs between addresses, so that a mail
   * provider cannot see which readers share a room.
   * @param room empty if mails to this reader contain no names, because room IDs are often short words that could be
   * guessed
   */
  #threadOf(to: string, room: string): string {
    return `${digestOf(`${this.#options.pageUrl} ${to} ${room}`).slice(0, 32)}@${this.#idDomain}`;
  }
}

type Shows = 'text' | 'name' | 'nothing';

/** Returns the room into which an answer is written, if the mail is about one room that it names. */
function answerableRoom([room, ...others]: readonly UnreadRoom[], shows: Shows): UnreadRoom | undefined {
  const isNamed = shows !== 'nothing' && room?.withheld === undefined;
  return others.length === 0 && isNamed && room?.mayWrite ? room : undefined;
}

/** Returns the `seq` of the last message whose text the mail shows. */
const lastShown = ({ messages }: UnreadRoom, shows: Shows): number | undefined =>
  shows === 'text' ? messages.at(-1)?.seq : undefined;

/** Whether everything in a mail is still true, except its numbers, because more messages may be unread. */
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

const domainOf = (address: string) => address.slice(address.lastIndexOf('@') + 1).toLowerCase();
