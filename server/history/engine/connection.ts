import { type DatabaseConnection, type Sql, SqlError } from './dialect.ts';
import { answerLimit } from './limits.ts';
import type { Row } from './table.ts';

/** A connection by a client library. */
interface DatabaseClient {
  ask(sql: Sql): Promise<Row[]>;
  /** As `queryAll` of `DatabaseConnection`, where it takes one trip. */
  askAll?(statements: readonly Sql[]): Promise<Row[][]>;
  /** Closes it at once. */
  end(): void;
  /** The failure that an error of the library means. */
  failure(error: unknown): SqlError;
}

/** A connection whose statements end in time. After one that was lost, it is never asked again. */
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

  async queryAll(statements: readonly Sql[]): Promise<Row[][]> {
    const client = this.#client;
    if (client.askAll !== undefined) return this.within(async () => client.askAll?.(statements) ?? []);
    const answers: Row[][] = [];
    for (const sql of statements) answers.push(await this.query(sql));
    return answers;
  }

  /** Something else than a statement: logging in. */
  async within<T>(work: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        // Answers that arrived while this process was blocked are read first.
        () => setImmediate(() => reject(new SqlError('lost', `${this.#name}: it does not answer`))),
        answerLimit,
      );
    });
    return this.#failing(() => Promise.race([work(), late])).finally(() => clearTimeout(timer));
  }

  async #failing<T>(work: () => Promise<T>): Promise<T> {
    if (this.#ended) throw new SqlError('lost', `${this.#name}: the connection is lost`);
    try {
      return await work();
    } catch (error) {
      const failed = error instanceof SqlError ? error : this.#client.failure(error);
      if (failed.problem === 'lost') this.destroy();
      throw failed;
    }
  }

  destroy(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#client.end();
  }
}

/** A failure that is not the database's own: of the network, of TLS, or of the client library. */
export function connectionFailure(name: string, code: string): SqlError {
  const text = /CERT|SSL|SELF_SIGNED|ISSUER/.test(code)
    ? 'there is no TLS with it: its certificate has to be of a known authority, or of ca=, and name the host'
    : 'the connection failed';
  return new SqlError('lost', `${name}: ${text}${code === '' ? '' : ` (${code})`}`);
}
