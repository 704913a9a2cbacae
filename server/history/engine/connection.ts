import type { Row } from '../records/columns.ts';
import { type DatabaseConnection, type Sql, SqlError } from './dialect.ts';
import { answerLimit } from './limits.ts';

/** Adapts a client library. */
interface DatabaseClient {
  ask(sql: Sql): Promise<Row[]>;
  /** Like `DatabaseConnection.queryAll`, for libraries that can pipeline statements. */
  askAll?(statements: readonly Sql[]): Promise<Row[][]>;
  /** Like `DatabaseConnection.stream`. */
  stream(select: string): AsyncGenerator<Row[]>;
  /** Closes the connection at once. */
  end(): void;
  /** Converts an error of the library. */
  failure(error: unknown): SqlError;
}

/** A connection whose statements time out. Once lost, it rejects all further statements. */
export class TimedConnection implements DatabaseConnection {
  readonly #name: string;
  readonly #client: DatabaseClient;
  #ended = false;

  constructor(name: string, client: DatabaseClient) {
    this.#name = name;
    this.#client = client;
  }

  async query(sql: Sql): Promise<Row[]> {
    return this.within(() => this.#client.ask(sql));
  }

  async queryPatiently(sql: Sql): Promise<Row[]> {
    return this.#failing(() => this.#client.ask(sql));
  }

  async *stream(select: string): AsyncGenerator<Row[]> {
    const parts = this.#client.stream(select);
    for (;;) {
      const { done, value } = await this.#failing(() => parts.next());
      if (done === true) return;
      yield value;
    }
  }

  async queryAll(statements: readonly Sql[]): Promise<Row[][]> {
    const client = this.#client;
    if (client.askAll !== undefined) return this.within(async () => client.askAll?.(statements) ?? []);
    const answers: Row[][] = [];
    for (const sql of statements) answers.push(await this.query(sql));
    return answers;
  }

  /** Runs other work with the time limit, such as the login. */
  async within<T>(work: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        // If this process was blocked, read the responses that have arrived before giving up.
        () => setImmediate(() => reject(new SqlError('lost', `${this.#name}: no response`))),
        answerLimit,
      );
    });
    return this.#failing(() => Promise.race([work(), timeout])).finally(() => clearTimeout(timer));
  }

  async #failing<T>(work: () => Promise<T>): Promise<T> {
    if (this.#ended) throw new SqlError('lost', `${this.#name}: the connection was lost`);
    try {
      return await work();
    } catch (error) {
      const failure = error instanceof SqlError ? error : this.#client.failure(error);
      if (failure.problem === 'lost') this.destroy();
      throw failure;
    }
  }

  destroy(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#client.end();
  }
}

/** Converts a failure of the network, of TLS or of the client library. */
export function connectionFailure(name: string, code: string): SqlError {
  const text = /CERT|SSL|SELF_SIGNED|ISSUER/.test(code)
    ? 'TLS failed: the certificate must name the host, and be issued by a known authority or the one in ca='
    : 'the connection failed';
  return new SqlError('lost', `${name}: ${text}${code === '' ? '' : ` (${code})`}`);
}
