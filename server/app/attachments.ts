import type { HoldSettings } from '../chat/moderation/hold-settings.ts';
import { Files } from '../files/files.ts';
import type { History } from '../history/history.ts';
import { FileBudget } from '../limits/file-budget.ts';
import { Previews } from '../previews/previews.ts';
import { howToRun } from '../program/how-to-run.ts';
import type { Config } from '../settings/config.ts';
import type { Telemetry } from './telemetry.ts';

/** The files of messages and the previews of links. Pictures of previews are stored as files. */
export interface Attachments {
  /** The files that each user may store. */
  budget: FileBudget;
  /** Undefined if files are off. */
  files: Files | undefined;
  /** Undefined if previews are off. */
  previews: Previews | undefined;
  close(): Promise<void>;
}

export function openAttachments(
  config: Config,
  { history, hold, log, quiet }: Telemetry & { history: History; hold: HoldSettings | undefined },
): Attachments {
  const budget = new FileBudget(config.limitFilesUser);
  const files = openFiles(config, { history, budget, log, quiet });
  const previews = config.previews
    ? new Previews({
        history,
        files,
        hosts: config.previewHosts,
        hasWord: hold?.hasWord ?? (() => false),
        onFailure: ({ message: reason }) =>
          quiet.warn('previews', { reason }, 'could not make link previews'),
      })
    : undefined;
  return {
    budget,
    files,
    previews,
    async close() {
      previews?.close();
      await files?.close();
    },
  };
}

/**
 * Opens the storage of files; undefined if files are off. If the storage is not usable, the server starts anyway, and
 * the log contains the reason.
 */
function openFiles(
  { files: place, fileTypes, limitFile, filesOrphans }: Config,
  {
    history,
    budget,
    log,
    quiet,
  }: Pick<Telemetry, 'log' | 'quiet'> & { history: History; budget: FileBudget },
): Files | undefined {
  if (place.kind === 'off') return undefined;
  const onFailure = ({ message: reason }: Error) =>
    quiet.warn('files', { reason }, 'could not store or delete files');
  const files = new Files({
    place,
    types: fileTypes,
    maxBytes: limitFile,
    budget,
    orphans: filesOrphans,
    history,
    onFailure,
  });
  files
    .check()
    .catch(({ message: reason }: Error) =>
      log.error(
        { reason, hint: `correct CHAT_FILES; ${howToRun('doctor')} checks it` },
        'file storage unavailable, uploads fail',
      ),
    );
  return files;
}
