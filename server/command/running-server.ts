import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { readConfig } from '../settings/config.ts';
import { givenSettings } from '../settings/file.ts';
import { hostAndPort, ownHost } from '../settings/own-host.ts';

/** A request fails after this time in ms without data. The timeouts of the server are shorter. */
const longestSilence = 60_000;
/** Maximum characters of a response that is not an archive. */
const longestAnswer = 64 * 1024;

/** API calls about a user, with the key of the site. Each throws a CommandProblem if the server rejects it. */
export interface RunningServer {
  /** Returns the name of the user in the chat. */
  nameOf(user: string): Promise<string>;
  /** Returns the bytes of a zip archive. The stream fails if the server cuts it off. */
  exportOf(user: string): Promise<IncomingMessage>;
  erase(user: string, messages: 'anonymise' | 'delete'): Promise<void>;
  /** Maximum bytes of a mail for `receiveMail`. */
  maxMailBytes: number;
  /** Passes on an answer to a mail. @param recipient the recipient of the envelope, if known */
  receiveMail(bytes: Buffer, recipient: string | undefined): Promise<void>;
}

/**
 * Prepares calls of the server that runs with these settings. A command must not change the history itself, because the
 * running server caches parts of it.
 * @param file the file of `--settings`
 * @throws CommandProblem if the settings lack a key or a port
 */
export function runningServer(file: string | undefined, env: NodeJS.ProcessEnv): RunningServer {
  const given = givenSettings(file, env);
  const {
    host,
    port,
    apiKeys: [key],
    mail,
    maxMailBytes,
  } = readConfig(given.env, given.lines);
  if (key === undefined) {
    throw new CommandProblem(
      exit.configuration,
      'the API key of the running chat server is missing: set CHAT_API_KEY_FILE as in docs/api.md, and restart the server',
    );
  }
  if (port === 0) {
    throw new CommandProblem(
      exit.configuration,
      'CHAT_PORT is 0, so the port of the running chat server is unknown: set it to the port in the log line "listening", as in CHAT_PORT=7070',
    );
  }
  const place = ownHost(host);
  const where = hostAndPort(place, port);

  async function call(method: string, path: string, body?: Buffer): Promise<IncomingMessage> {
    const length = body && { 'Content-Length': body.length };
    const headers = { Authorization: `Bearer ${key}`, ...length };
    // `fetch` would resolve the user ID `..` as a parent folder.
    const asked = request({ host: place, port, method, path, headers });
    asked.setTimeout(longestSilence, () =>
      asked.destroy(new Error(`no data for ${longestSilence / 1000} s`)),
    );
    const answer = await once(asked.end(body), 'response').then(
      ([response]) => response as IncomingMessage,
      ({ code, message }: NodeJS.ErrnoException) => {
        throw new CommandProblem(
          exit.unavailable,
          `no chat server responds at ${where} (${code ?? message}): start it with the same settings (${howToRun('run')}), and run this again`,
        );
      },
    );
    const { statusCode: status = 0 } = answer;
    if (status < 200 || status > 299) throw refused(status, await textOf(answer));
    return answer;
  }

  const pathOf = (user: string) => `/api/users/${encodeURIComponent(user)}`;
  return {
    maxMailBytes,
    async nameOf(user) {
      const answer = JSON.parse(await textOf(await call('GET', pathOf(user))));
      return String(answer.user.name);
    },
    exportOf: (user) => call('GET', `${pathOf(user)}/export`),
    async erase(user, messages) {
      await textOf(await call('DELETE', `${pathOf(user)}?messages=${messages}`));
    },
    async receiveMail(bytes, recipient) {
      if (mail?.replies === undefined)
        throw new CommandProblem(
          exit.configuration,
          'the chat server accepts no answers to mails: set CHAT_MAIL_REPLIES as in docs/operate/mail-replies.md, and restart the server',
        );
      const query = recipient === undefined ? '' : `?recipient=${encodeURIComponent(recipient)}`;
      await textOf(await call('POST', `/mail${query}`, bytes));
    },
  };
}

function refused(status: number, text: string): CommandProblem {
  const { code, message } = errorIn(text);
  // A server without a key has no API, so it answers `not_found`.
  if (code === 'unauthorized' || code === 'not_found') {
    return new CommandProblem(
      exit.configuration,
      'the chat server has a different API key or none: restart it with these settings',
    );
  }
  if (code === 'unknown_user') {
    return new CommandProblem(exit.noUser, 'the chat has no user with this ID');
  }
  if (code === 'bad_request') return new CommandProblem(exit.usage, 'this is not a valid user ID');
  return new CommandProblem(
    exit.unavailable,
    `the chat server returned ${status} (${message}): try again later`,
  );
}

function errorIn(text: string): { code: string; message: string } {
  try {
    const { code, message } = JSON.parse(text).error;
    return { code: String(code), message: String(message) };
  } catch {
    return {
      code: '',
      message: 'not a response of a chat server: check whether another program listens there',
    };
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const piece of answer.setEncoding('utf8')) {
      text += piece;
      if (text.length > longestAnswer) throw new Error('the response is longer than expected');
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandProblem(
      exit.unavailable,
      `the response of the chat server cannot be used (${code ?? message})`,
    );
  }
  return text;
}
