import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { Files } from '../files/files.ts';
import { connectAlone, whyNotAlone } from '../history/engine/in-use.ts';
import { erasuresOf } from '../history/erased-users.ts';
import { dialectOf, openHistory } from '../history/open.ts';
import { UnusableHistory } from '../history/unusable.ts';
import { reasons, type Skipped } from '../import/exported.ts';
import { type ImportOptions, importLines } from '../import/import.ts';
import { type GivenLine, linesOf, parseJson } from '../import/lines.ts';
import { mattermostLines } from '../import/mattermost.ts';
import { rocketChatLines } from '../import/rocket-chat.ts';
import { slackLines } from '../import/slack.ts';
import { callersFolder, howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { readConfig } from '../settings/config.ts';
import { givenSettings } from '../settings/file.ts';
import { ownUserId } from '../wire/events.ts';
import { checkOwner } from './data.ts';
import { findGiven } from './given-path.ts';
import { progress } from './progress.ts';

export const help = `${howToRun('import', 'FILE [--from KIND] [--public] [--users FILE] [--report FILE] [--settings FILE]')}

Imports the messages of another chat into separate rooms. Stop the chat server first, and run this as its account. A
second run continues where the first stopped, and imports nothing twice. Imported messages count as read, and notify no
one.

  FILE             a file of JSON lines, as docs/operate/import.md describes them; for slack and rocketchat the folder of the
                   unzipped export, for mattermost the file of its bulk export
  --from KIND      slack, mattermost or rocketchat; without it, FILE has JSON lines
  --public         public channels of the other chat become public rooms, which every user of the site can read. Without
                   it, all rooms are private
  --users FILE     JSON: maps user IDs in the export to user IDs on this site. Users who are not listed get a separate
                   ID, and join no room
  --report FILE    a new file that lists what was not imported: one JSON line each, with its place in the export
  --settings FILE  the settings of the chat server

Example: ${howToRun('import', '/tmp/slack-export --from slack --users /tmp/users.json')}`;

const kinds = ['slack', 'mattermost', 'rocketchat'] as const;
type Kind = (typeof kinds)[number];

/** Whether an export of this kind is a folder. */
const isFolderOf = (kind: Kind | undefined) => kind === 'slack' || kind === 'rocketchat';

/** `openHistory` waits up to this time, in ms, until the database releases the lock of the closed connection. */
const longestEnd = 5000;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      from: { type: 'string' },
      public: { type: 'boolean', default: false },
      users: { type: 'string' },
      report: { type: 'string' },
      settings: { type: 'string' },
    },
  });
  const [given, ...more] = positionals;
  const kind = kinds.find((one) => one === values.from);
  if (given === undefined || more.length > 0 || (values.from !== undefined && kind === undefined)) {
    const wrong =
      values.from !== undefined && kind === undefined ? `unknown kind ${values.from}` : 'expected one file';
    throw new CommandProblem(exit.usage, `${wrong}\n\n${help}`);
  }
  const folder = callersFolder(env);
  const from = resolve(folder, given);
  const isFolder = findGiven(from)?.isDirectory();
  const wantsFolder = isFolderOf(kind);
  if (isFolder !== wantsFolder) {
    const what = wantsFolder ? 'folder' : 'file';
    throw new CommandProblem(exit.data, `there is no ${what} ${from}`);
  }
  const users = values.users === undefined ? new Map() : usersIn(resolve(folder, values.users));
  const { env: settings, lines } = givenSettings(values.settings, env);
  const {
    history: place,
    files: filesPlace,
    fileTypes,
    filesOrphans,
    limitFile,
  } = readConfig(settings, lines);
  checkOwner({ history: place, files: filesPlace.kind === 'dir' ? filesPlace.folder : undefined }, 'import');
  process.umask(0o077);
  const onFailure = (error: Error) => {
    throw error;
  };
  // For SQLite, `openHistory` itself makes sure that no server uses the file.
  if (place.kind !== 'sqlite') {
    const connection = await connectAlone(await dialectOf(place)).catch((error: Error) => {
      throw new CommandProblem(exit.unavailable, whyNotAlone(place, error));
    });
    connection.destroy();
  }
  const history = await openHistory(place, { onFailure, maxWaitMs: longestEnd }).catch((error: Error) => {
    const isData = error instanceof UnusableHistory && error.because === 'data';
    throw new CommandProblem(isData ? exit.data : exit.unavailable, error.message);
  });
  const files =
    filesPlace.kind === 'off'
      ? undefined
      : new Files({
          place: filesPlace,
          types: fileTypes,
          maxBytes: limitFile,
          orphans: filesOrphans,
          history,
          onFailure,
        });
  const report = values.report === undefined ? undefined : resolve(folder, values.report);
  try {
    await importInto(
      { history, files, erasedAt: await erasuresOf(place) },
      { kind, from, users, report, mayBePublic: values.public, mostBytes: limitFile },
    );
    return 0;
  } finally {
    await files?.close();
    await history.close();
  }
}

/** Imports an export into an open history, and prints the result. */
export async function importInto(
  place: Pick<ImportOptions, 'history' | 'files' | 'erasedAt'>,
  given: Pick<ImportOptions, 'users' | 'mostBytes'> & {
    kind: Kind | undefined;
    from: string;
    /** The path of a new file. */
    report: string | undefined;
    mayBePublic: boolean;
  },
): Promise<void> {
  const { kind, from } = given;
  const report = given.report === undefined ? undefined : openReport(given.report);
  const counts = new Map<Skipped['reason'], number>();
  const onSkipped = (reason: Skipped['reason'], place: string) => {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    if (report !== undefined) writeSync(report, `${JSON.stringify({ reason: reasons[reason], place })}\n`);
  };
  const shown = progress();
  try {
    const done = await importLines(linesFrom(kind, from, given.mayBePublic, onSkipped), {
      ...place,
      folder: isFolderOf(kind) ? from : dirname(from),
      mostBytes: given.mostBytes,
      users: given.users,
      onSkipped,
      skipsInvalid: kind !== undefined,
      onProgress: ({ messages, known }) => shown.say(`messages: ${messages + known}`),
    });
    shown.end();
    const again = done.known === 0 ? '' : `; ${done.known} already existed`;
    const erased = done.erased === 0 ? '' : `; ${done.erased} by erased users are omitted`;
    console.log(
      `✓ Imported: ${done.messages} messages and ${done.files} files in ${done.rooms} rooms${again}${erased}`,
    );
    if (counts.size > 0)
      console.log(
        `! Not imported${given.report === undefined ? ' (--report FILE lists each)' : `, each listed in ${given.report}`}:`,
      );
    for (const [reason, count] of [...counts].sort(([, a], [, b]) => b - a))
      console.log(`  ${count}  ${reasons[reason]}`);
    if (kind === 'rocketchat')
      console.log('! Rocket.Chat exports do not list the members of private rooms, so the import adds none');
    if (done.empty.length > 0) {
      console.log(
        `! ${done.empty.length} rooms have no members from this import: add members through the API within 30 days, or private rooms are deleted:`,
      );
      for (const { id, name } of done.empty) console.log(`  ${id}  ${name}`);
    }
  } finally {
    shown.end();
    if (report !== undefined) closeSync(report);
  }
}

async function* linesFrom(
  kind: Kind | undefined,
  from: string,
  mayBePublic: boolean,
  onSkipped: (reason: Skipped['reason'], place: string) => void,
): ReturnType<typeof linesOf> {
  if (kind === undefined) return yield* linesOf(from);
  const converted: Iterable<GivenLine | Skipped> | AsyncIterable<GivenLine | Skipped> =
    kind === 'slack'
      ? slackLines(from)
      : kind === 'rocketchat'
        ? rocketChatLines(from)
        : mattermostLines(linesOf(from));
  for await (const given of converted) {
    if (given.type === 'skipped') onSkipped(given.reason, given.place);
    else if (given.type === 'room' && !mayBePublic)
      yield { given: { ...given, kind: 'private' }, place: from };
    else yield { given, place: placeOf(given, from) };
  }
}

/** Returns the position of a converted line as exactly as its fields permit. */
function placeOf(given: GivenLine, from: string): string {
  if (given.type === 'message') return given.id;
  return given.type === 'member' ? `${given.room}, ${given.user}` : from;
}

/** Creates the file of the report, and opens it. @throws CommandProblem if the file exists or cannot be created */
function openReport(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    throw new CommandProblem(exit.output, `the report cannot be written: ${(error as Error).message}`);
  }
}

function usersIn(path: string): Map<string, string> {
  if (findGiven(path) === undefined) throw new CommandProblem(exit.data, `there is no file ${path}`);
  try {
    const users = z.record(z.string(), ownUserId).parse(parseJson(readFileSync(path, 'utf8'), path));
    return new Map(Object.entries(users));
  } catch {
    throw new CommandProblem(exit.data, `${path} is not a JSON object such as {"U012AB3CD": "42"}`);
  }
}
