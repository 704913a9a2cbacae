import type { Client } from './client.ts';
import { type Commands, Refused } from './command.ts';
import { parseLine, Undecodable } from './command-line.ts';
import { extensionCommands } from './commands/extension-commands.ts';
import { sessionCommands } from './commands/session-commands.ts';
import { valueCommands } from './commands/value-commands.ts';
import { isOtherProtocol } from './other-protocol.ts';
import { SerializedError } from './serialized.ts';

const commands: Commands = { ...sessionCommands, ...valueCommands, ...extensionCommands };
const unknownCommand = 'err unknown command';

/**
 * Does what a line says.
 * @param failed hears of what is no fault of the client
 * @returns the reply, without its end of line; one character a byte
 */
export async function execute(
  client: Client,
  bytes: Buffer,
  failed: (error: unknown) => void,
): Promise<string> {
  const line = parseLine(bytes);
  const command = Object.hasOwn(commands, line.verb) ? commands[line.verb] : undefined;
  if (client.session === null && isOtherProtocol(line, command)) {
    failed(new Error('a client spoke another protocol, such as HTTP, and its connection was closed'));
    client.quit = true;
    return unknownCommand;
  }
  if (command === undefined) return unknownCommand;
  if (!client.authorized && !command.beforeAuth) return 'err Not authorized.';
  if (client.watching.any && !command.watching) return 'err Connection is watching.';
  client.session?.lock?.renew();
  if (command.session !== undefined && client.session === null) return 'err No session opened.';
  if (command.session === 'write' && !client.session?.writable) return `err ${command.failure}`;
  try {
    const value = await command.run(client, line);
    return value === undefined ? 'ok' : `ok ${value}`;
  } catch (error) {
    if (error instanceof Refused) return `err ${error.message || command.failure}`;
    if (!(error instanceof Undecodable || error instanceof SerializedError)) failed(error);
    return `err ${command.failure}`;
  }
}
