import type { Command } from './command.ts';
import type { CommandLine } from './command-line.ts';

/** What a request line of HTTP, RTSP or SIP ends with. */
const version = /(?:^| )[A-Za-z]+\/\d(?:\.\d)?$/;
/** What such a request asks for: a path, an address, or `*`. No key of a session that is not open needs to be one. */
const target = /^(?:\/|\*$|[a-z][a-z0-9+.-]*:\/\/)/i;
/** What somebody may have taken for a command. */
const word = /^[a-z0-9_]*$/;

/**
 * Whether a line that came while no session was open is of another protocol. A page in a browser, and a web
 * application that fetches addresses from strangers, can make others send requests to this server, with commands in
 * their body. They cannot choose freely how a request begins: an HTTP request with its method, a target and a version,
 * others with bytes that are no word. What follows is no command then.
 * @param command what the line calls; undefined when that is no command
 */
export function isOtherProtocol({ verb, first, second }: CommandLine, command: Command | undefined): boolean {
  if (second !== undefined && version.test(second.slice(-16))) return true;
  if (command === undefined) return !word.test(verb) || target.test(first);
  // GET and PUT are commands too.
  return command.session !== undefined && target.test(first);
}
