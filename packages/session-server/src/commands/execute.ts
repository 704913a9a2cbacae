import type { Client } from '../client.ts';
import { type CommandLine, EncodingError, parseLine } from '../command-line.ts';
import { SerializedError } from '../serialized-reader.ts';
import { type Command, CommandError, type Commands } from './command.ts';
import { extensionCommands } from './extension-commands.ts';
import { sessionCommands } from './session-commands.ts';
import { valueCommands } from './value-commands.ts';

const commands: Commands = { ...sessionCommands, ...valueCommands, ...extensionCommands };
const unknownCommand = 'err unknown command';

/**
 * Runs a line.
 * @param logError logs errors that the client did not cause
 * @returns the reply without CRLF, a character per byte
 */
export async function execute(
  client: Client,
  bytes: Buffer,
  logError: (error: unknown) => void,
): Promise<string> {
  const line = parseLine(bytes);
  const command = Object.hasOwn(commands, line.verb) ? commands[line.verb] : undefined;
  if (client.session === null && isOtherProtocol(line, command)) {
    logError(new Error('a client spoke another protocol, such as HTTP, and its connection was closed'));
    client.mustClose = true;
    return unknownCommand;
  }
  if (command === undefined) return unknownCommand;
  if (!client.isAuthorized && !command.beforeAuth) return 'err Not authorized.';
  if (client.subscriptions.hasAny && !command.whileSubscribed) return 'err Connection is watching.';
  client.session?.lock?.renew();
  if (command.session !== undefined && client.session === null) return 'err No session opened.';
  if (command.session === 'write' && !client.session?.isWritable) return `err ${command.failure}`;
  try {
    const value = await command.run(client, line);
    return value === undefined ? 'ok' : `ok ${value}`;
  } catch (error) {
    if (error instanceof CommandError) return `err ${error.message || command.failure}`;
    if (!(error instanceof EncodingError || error instanceof SerializedError)) logError(error);
    return `err ${command.failure}`;
  }
}

/** The end of a request line of HTTP, RTSP or SIP. */
const version = /(?:^| )[A-Za-z]+\/\d(?:\.\d)?$/;
/** The target of such a request: a path, a URL or `*`. It cannot be a key, because no session is open. */
const target = /^(?:\/|\*$|[a-z][a-z0-9+.-]*:\/\/)/i;
/** A misspelled command has this form. */
const word = /^[a-z0-9_]*$/;

/**
 * Detects another protocol in a line, while no session is open. An attacker can make a browser, or a web application that
 * fetches URLs, send requests with commands in the body. Such requests start with a method, a target and a version of HTTP,
 * or with bytes that are not a word. The lines after the start must not be run.
 */
function isOtherProtocol({ verb, first, second }: CommandLine, command: Command | undefined): boolean {
  if (second !== undefined && version.test(second.slice(-16))) return true;
  if (command === undefined) return !word.test(verb) || target.test(first);
  // GET and PUT are also commands.
  return command.session !== undefined && target.test(first);
}
