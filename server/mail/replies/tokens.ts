import { randomBytes } from 'node:crypto';
import { type History, mailRepliesFor, type StoredMailReply } from '../../history/history.ts';
import { digestOf } from '../digest.ts';
import { alphabet, type RepliesAddress, randomCharacters } from './reply-address.ts';

/** Creates and finds the tokens of reply addresses. The history stores only their digests. */
export class ReplyTokens {
  readonly #history: Pick<History, 'read' | 'write'>;
  readonly #address: RepliesAddress;

  constructor(history: Pick<History, 'read' | 'write'>, address: RepliesAddress) {
    this.#history = history;
    this.#address = address;
  }

  /** Creates a reply address for a mail to a user. @param seq the last message that the mail shows */
  async address({
    user,
    room,
    seq,
  }: {
    user: string;
    room: string;
    seq?: number | undefined;
  }): Promise<string> {
    const token = Array.from(randomBytes(randomCharacters), (byte) => alphabet[byte % alphabet.length]).join(
      '',
    );
    await this.#history.write.addMailReply({ id: digestOf(token), user, roomId: room, seq, at: Date.now() });
    const { local, domain } = this.#address;
    return `${local}+${token}@${domain}`;
  }

  /** Returns the mail of a token, or undefined if it is unknown. `expired`: it can no longer be answered. */
  async find(token: string): Promise<(StoredMailReply & { expired: boolean }) | undefined> {
    const reply = await this.#history.read.mailReply({ id: digestOf(token) });
    return reply === null ? undefined : { ...reply, expired: reply.at <= Date.now() - mailRepliesFor };
  }
}
