import type { Client } from '../client.ts';
import { type CommandLine, parseLine, Undecodable } from '../command-line.ts';
import { SerializedError } from '../serialized-reader.ts';
import { type Command, type Commands, Refused } from './command.ts';
import { extensionCommands } from './extension-commands.ts';
import { sessionCommands } from './session-commands.ts';
import { valueCommands } from './value-commands.ts';

const commands: Commands = { ...sessionCommands, ...valueCommands, ...extensionCommands };
const unknownCommand = 'err unknown command';

/**
 * Runs the command of one line.
 * @param failed gets the errors that are not the client's fault
 * @returns the reply without its CRLF, one character per byte
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
  if (client.subscriptions.any && !command.whileSubscribed) return 'err Connection is watching.';
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

/** The end of a request line of HTTP, RTSP or SIP. */
const version = /(?:^| )[A-Za-z]+\/\d(?:\.\d)?$/;
/** The target of such a request: a path, an address, or `*`. No session is open, so it cannot be a key. */
const target = /^(?:\/|\*$|[a-z][a-z0-9+.-]*:\/\/)/i;
/** The form of a command that a client may have got wrong. */
const word = /^[a-z0-9_]*$/;

/**
 * Whether a line that arrives while no session is open belongs to another protocol. A page in a browser, or a web
 * application that fetches addresses for strangers, can be made to send requests to this server with commands in their
 * body. The attacker cannot choose the beginning of such a request freely: HTTP begins with a method, a target and a
 * version, other protocols with bytes that are no word. The lines after it must not be taken for commands.
 * @param command the command that the line names; undefined if there is none of that name
 */
function isOtherProtocol({ verb, first, second }: CommandLine, command: Command | undefined): boolean {
  if (second !== undefined && version.test(second.slice(-16))) return true;
  if (command === undefined) return !word.test(verb) || target.test(first);
  // GET and PUT are commands too.
  return command.session !== undefined && target.test(first);
}
