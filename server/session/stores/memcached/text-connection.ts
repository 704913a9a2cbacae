import { connect, type Socket } from 'node:net';
import { StoreError } from '../../store.ts';
import { deadline } from '../deadline.ts';

/** The answers to these questions have less than a hundred bytes. */
const maxReplyBytes = 2048;
const lineEnd = 0x0a;

interface Question {
  fits: RegExp;
  missing: number;
  answers: RegExpExecArray[];
  settle(answer: RegExpExecArray[] | StoreError): void;
}

/**
 * Asks one memcached over its text protocol what the binary protocol cannot ask. An answer has one line. Questions are
 * pipelined; an answer that is late or makes no sense ends the connection and fails all questions that wait.
 */
export class TextConnection {
  readonly #host: string;
  readonly #port: number;
  readonly #timeout: number;
  readonly #name: string;
  #socket: Socket | undefined;
  #asked: Question[] = [];
  #connections = 0;
  #closed = false;

  constructor(host: string, port: number, timeout: number) {
    this.#host = host;
    this.#port = port;
    this.#timeout = timeout;
    this.#name = `memcached at ${host}:${port}`;
  }

  /**
   * @param command one line, without its end; a key in it has 1 to 250 bytes and no blanks
   * @param fits matches a whole answer to it
   * @throws StoreError after `timeout` ms at the latest
   */
  async ask(command: string, fits: RegExp): Promise<RegExpExecArray> {
    const [answer] = await this.askAll([command], fits);
    return answer as RegExpExecArray;
  }

  /**
   * Asks at least one command of one kind, all in one round trip.
   * @returns their answers, in the same order
   */
  async askAll(commands: readonly string[], fits: RegExp): Promise<RegExpExecArray[]> {
    if (this.#closed) throw new StoreError('the store was closed');
    // Answers come in the order of the questions: if this one is late, so are all behind it.
    const answered = deadline(this.#timeout, () =>
      this.#fail(new StoreError(`${this.#name} did not answer within ${this.#timeout} ms`)),
    );
    try {
      const answers = await new Promise<RegExpExecArray[] | StoreError>((settle) => {
        this.#asked.push({ fits, missing: commands.length, answers: [], settle });
        this.#socket ??= this.#open();
        this.#socket.write(commands.map((command) => `${command}\r\n`).join(''));
      });
      if (answers instanceof StoreError) throw answers;
      return answers;
    } finally {
      answered();
    }
  }

  /** The number of connections so far: over a new one there may be another memcached. */
  get connections(): number {
    return this.#connections;
  }

  close(): void {
    this.#closed = true;
    this.#fail(new StoreError('the store was closed'));
  }

  #open(): Socket {
    this.#connections++;
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      const received = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let from = 0;
      for (;;) {
        const end = received.indexOf(lineEnd, from);
        if (end === -1 || this.#socket !== socket) break;
        // The answer may contain the key, so no error repeats it.
        const question = this.#asked[0];
        const answer = question?.fits.exec(received.toString('latin1', from, end).trimEnd());
        if (question === undefined || answer == null) {
          this.#fail(new StoreError(`${this.#name} answered something that was not asked`));
          return;
        }
        question.answers.push(answer);
        if (--question.missing === 0) this.#asked.shift()?.settle(question.answers);
        from = end + 1;
      }
      rest = received.subarray(from);
      if (rest.length > maxReplyBytes)
        this.#fail(new StoreError(`${this.#name} sent something that is not a reply`), socket);
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(StoreError.unreachable(this.#name, error), socket),
    );
    socket.on('close', () => this.#fail(new StoreError(`${this.#name} closed the connection`), socket));
    return socket;
  }

  /** The next question opens a new connection. @param socket ignored if it is no longer the current one */
  #fail(error: StoreError, socket = this.#socket): void {
    if (socket !== this.#socket) return;
    socket?.destroy();
    this.#socket = undefined;
    for (const { settle } of this.#asked.splice(0)) settle(error);
  }
}
