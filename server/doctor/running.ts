import { type Finding, ok, problem, warning } from 'php-sessions/doctor';
import { findLocalServer, type LocalServer } from '../health/local-socket.ts';
import { howToRun } from '../program/how-to-run.ts';
import type { Config } from '../settings/config.ts';
import { hostAndPort, ownHost } from '../settings/own-host.ts';

const answerTimeoutMs = 3000;

/** Asks the running server, and returns it if it answers. Its report comes first. */
export async function* reportRunning(config: Config): AsyncGenerator<Finding, LocalServer | undefined> {
  const server = await findLocalServer(config);
  if ('code' in server) {
    yield await describeSilence(config, server.code);
    return undefined;
  }
  const { findings, settings } = await server.report();
  yield ok('The chat server runs, and reports:');
  yield* findings;
  const changed = [...new Set([...Object.keys(settings), ...Object.keys(config.shown)])].filter(
    (name) => settings[name] !== config.shown[name],
  );
  if (changed.length > 0)
    yield warning(
      `The running server started with other values of ${changed.join(', ')}.`,
      'Restart the server to use these settings, or run the doctor with the settings of the server.',
    );
  return server;
}

/** Describes a server that does not answer. @param code why its socket cannot be used */
async function describeSilence({ host, port }: Config, code: string): Promise<Finding> {
  const address = localAddress(host, port);
  const failure = port === 0 ? code : await failureAt(address);
  if (failure === null)
    return warning(
      `A chat server answers at ${address}, but cannot be asked for its report (${code}).`,
      'Run the doctor as root or as the account of the server, with the settings of the server.',
    );
  if (code === 'TimeoutError' || failure === 'TimeoutError')
    return problem(
      `The chat server at ${address} does not answer in time, so visitors cannot use the chat.`,
      'See its log, and restart it: systemctl restart php-session-chat',
    );
  if (code === 'EACCES')
    return problem(
      `This account may not ask the chat server for its report, and nothing answers at ${address} (${failure}).`,
      'Run the doctor as root or as the account of the server, with the settings of the server.',
    );
  return problem(
    `The chat server does not run: nothing answers at ${address} (${failure}), so visitors cannot use the chat.`,
    `Start it: systemctl start php-session-chat, or ${howToRun('run')}. Its log says why it ended: journalctl -u php-session-chat`,
  );
}

/** Returns the address of the server for programs of this machine. */
export const localAddress = (host: string, port: number): string =>
  `http://${hostAndPort(ownHost(host), port)}`;

/** Returns the code of the error if no chat server answers there. */
async function failureAt(address: string): Promise<string | null> {
  try {
    const response = await fetch(`${address}/healthz`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
    const { status } = (await response.json()) as { status?: string };
    return status === 'ok' ? null : 'another program';
  } catch (error) {
    const { name, cause } = error as Error & { cause?: { code?: string } };
    return cause?.code ?? (name === 'SyntaxError' ? 'another program' : name);
  }
}
