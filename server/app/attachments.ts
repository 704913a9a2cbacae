import { resolve } from 'node:path';
import { ok, problem } from 'php-sessions/doctor';
import type { HoldSettings } from '../chat/moderation/hold-settings.ts';
import { Files } from '../files/files.ts';
import type { FilesPlace } from '../files/place.ts';
import { Failures } from '../health/failures.ts';
import type { Health } from '../health/health.ts';
import { adviseFiles, describeSpace, filesPlaceOf, freeBytes } from '../health/space.ts';
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
  /** Must be called after each upload. `code` is `ok`, or why it was rejected. */
  onUpload(code: string): void;
  close(): Promise<void>;
}

export function openAttachments(
  config: Config,
  { history, hold, health, log, quiet }: Telemetry & { history: History; hold: HoldSettings | undefined },
): Attachments {
  const budget = new FileBudget(config.limitFilesUser);
  const files = openFiles(config, { history, budget, log, quiet });
  const failures = new Failures();
  if (files !== undefined) addCheck(health, files, config.files, failures);
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
    onUpload(code) {
      if (code === 'ok') failures.worked();
      // A full disk is visible without a failed upload.
      else if (code === 'storage_unavailable') failures.failed(code);
    },
    previews,
    async close() {
      previews?.close();
      await files?.close();
    },
  };
}

/** Adds the check whether files can be stored. @param failures the failed uploads */
function addCheck(health: Health, files: Files, place: FilesPlace, failures: Failures): void {
  if (place.kind === 'off') return;
  const where = filesPlaceOf(place);
  let fault: string | undefined;
  health.add({
    async works() {
      fault = await files.check().then(
        () => undefined,
        ({ code, message }: NodeJS.ErrnoException) => code ?? message,
      );
      return fault === undefined && failures.isOver;
    },
    async describe(works) {
      const space =
        place.kind === 'dir' && describeSpace('files', resolve(place.folder), await freeBytes(place.folder));
      if (space) return space;
      return works
        ? ok(`The server can store files in ${where}.`)
        : problem(`The server cannot store files in ${where}: ${fault ?? failures}.`, adviseFiles(place));
    },
  });
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
