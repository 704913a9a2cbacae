import { parseArgs } from 'node:util';
import { howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { runningServer } from './running-server.ts';

export const help = `${howToRun('receive-mail', '[--recipient ADDRESS] [--settings FILE]', true)}

Reads one mail from standard input and passes it on to the running chat server, which posts it: for an alias or a
transport of your mail server, see docs/operate/mail-replies.md. If the server does not respond, the exit code is 75, so
that the mail server tries again.

  --recipient ADDRESS  the recipient of the envelope; default: ORIGINAL_RECIPIENT or RECIPIENT in the environment
  --settings FILE      the settings of the chat server

Example: ${howToRun('receive-mail', '< mail.eml', true)}`;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { recipient: { type: 'string' }, settings: { type: 'string' } },
  });
  try {
    const server = runningServer(values.settings, env);
    const mail = await readMail(process.stdin, server.maxMailBytes);
    await server.receiveMail(mail, values.recipient ?? env.ORIGINAL_RECIPIENT ?? env.RECIPIENT);
  } catch (error) {
    if (error instanceof CommandProblem && error.code === exit.data) throw error;
    // The mail must not be lost while the owner corrects a setting.
    throw new CommandProblem(exit.tryAgain, (error as Error).message);
  }
  return 0;
}

/** @throws CommandProblem if there are more bytes */
async function readMail(input: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of input) {
    size += piece.length;
    if (size > maxBytes)
      throw new CommandProblem(
        exit.data,
        `the mail is larger than ${maxBytes} bytes, the limit of the chat: send a shorter mail, or smaller files`,
      );
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
