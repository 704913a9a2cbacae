import type { ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { ConcurrencyLimit } from '../../limits/by-key.ts';
import { isAlive, optionsOf, startSeparate } from '../../limits/separate-process.ts';
import { RequestError } from '../../wire/errors.ts';
import type { IncomingMail, ReadingOptions } from './incoming.ts';

export interface ReadingTask extends ReadingOptions {
  bytes: Buffer;
}

export type ToServer = 'ready' | { mail: IncomingMail } | { unreadable: true };

/** The time for one mail, in ms. A large mail takes seconds on a busy machine. */
const longestMs = 30_000;
/**
 * Maximum heap of the process, in megabytes. Texts with many lines need most. The bytes of the mail are not in the heap.
 */
const maxHeap = 128;
/** Idle time in ms after which the process ends. */
const idleMs = 10_000;

const unavailable = (reason: string) => new RequestError('storage_unavailable', reason);

/** Reads mails in a separate process, one after the other, because some mails take the parser minutes. */
export class MailReader {
  readonly #turns = new ConcurrencyLimit(1);
  #child: ChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;

  /**
   * Reads a mail.
   * @returns undefined if it cannot be read
   * @throws RequestError `storage_unavailable` if the machine has no memory for the process, or it cannot be started
   */
  read(task: ReadingTask): Promise<IncomingMail | undefined> {
    return this.#turns.run('', async () => {
      clearTimeout(this.#idle);
      const child = await this.#process();
      let isLate = false;
      const late = setTimeout(() => {
        isLate = true;
        child.kill('SIGKILL');
      }, longestMs);
      const answer = await new Promise<ToServer | undefined>((resolve, reject) => {
        const ended = (_: number | null, signal: NodeJS.Signals | null) => {
          // The kernel ends this process first if memory runs out, because of whichever process.
          if (signal === 'SIGKILL' && !isLate) reject(unavailable('the process that reads mails was killed'));
          else resolve(undefined);
        };
        child.once('exit', ended);
        child.once('message', (message: ToServer) => {
          child.off('exit', ended);
          resolve(message);
        });
        child.send(task);
      }).finally(() => clearTimeout(late));
      this.#idle = setTimeout(() => child.kill('SIGKILL'), idleMs).unref();
      return typeof answer === 'object' && 'mail' in answer ? answer.mail : undefined;
    });
  }

  async #process(): Promise<ChildProcess> {
    if (this.#child !== undefined && isAlive(this.#child)) return this.#child;
    const file = new URL(`./read-mail${extname(import.meta.url)}`, import.meta.url);
    const options = [...optionsOf(file, 'mails'), `--max-old-space-size=${maxHeap}`];
    this.#child = await startSeparate(file, 'mails', options).catch((error: Error) => {
      throw unavailable(error.message);
    });
    return this.#child;
  }
}
