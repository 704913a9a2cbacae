import { parseArgs } from 'node:util';
import { openTerminal } from '../init/terminal.ts';
import { howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { lineForScreen } from '../wire/blank.ts';
import { runningServer } from './running-server.ts';
import { theUser } from './user.ts';

export const help = `${howToRun('erase', 'USER [--messages delete] [--yes] [--settings FILE]')}

Erases a user for good, by the running chat server and its CHAT_API_KEY_FILE: docs/api.md. End the user's session on
the site first: a later connection with it makes a new user.

  USER               the id of the user, as the site knows it
  --messages delete  the messages are deleted too; without it their texts stay, as those of nobody
  --yes              asks nothing, for scripts
  --settings FILE    the settings of the chat server

Example: ${howToRun('erase', '7 --messages delete')}`;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      messages: { type: 'string', default: 'anonymise' },
      yes: { type: 'boolean', default: false },
      settings: { type: 'string' },
    },
  });
  const user = theUser(positionals, help);
  const { messages, yes } = values;
  if (messages !== 'anonymise' && messages !== 'delete') {
    throw new CommandProblem(exit.usage, `--messages is anonymise or delete\n\n${help}`);
  }
  if (!yes && !(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new CommandProblem(
      exit.usage,
      'there is no terminal on which to ask: --yes erases without a question',
    );
  }
  const server = runningServer(values.settings, env);
  const name = await server.nameOf(user);
  if (!yes && !(await isConfirmed(user, name, messages))) {
    throw new CommandProblem(exit.usage, 'nothing has been erased');
  }
  await server.erase(user, messages);
  console.log(
    `✓ ${lineForScreen(user)} is being erased: the server does it in small steps, and goes on after a restart.`,
  );
  return 0;
}

async function isConfirmed(user: string, name: string, messages: 'anonymise' | 'delete'): Promise<boolean> {
  const terminal = openTerminal();
  try {
    const too = messages === 'delete' ? ', with all messages' : '; the messages stay, without an author';
    terminal.say(`${name} (${user}) will be erased${too}. This cannot be taken back.`);
    return (await terminal.ask('? Type the id again to erase: ')) === user;
  } finally {
    terminal.close();
  }
}
