import { erasureNeed, erasureOf } from '../erasure/erasures.ts';
import { isBeforeEnd } from '../erasure.ts';
import { doomedFiles, doomedFilesNeed, dropFile, forgetFile, insertFile } from '../files/loaded.ts';
import type { FileWrites } from '../history.ts';
import { roomNeed } from '../rooms/loaded.ts';
import { existing, refuse } from './room-changes.ts';
import type { Rule } from './rule.ts';
export const addFile: Rule<FileWrites['addFile']> = {
  adds: true,
  needs: ({ room, user }) => [roomNeed(room), erasureNeed(user)],
  run(work, { room, user, file, at }) {
    existing(work, room);
    const erasure = erasureOf(work, user);
    // The stage that looks for files may just be over: nobody would find this one.
    if (erasure !== undefined && isBeforeEnd(erasure)) refuse('forbidden', 'the user is being erased');
    insertFile(work, room, { id: file.id, user, state: 'loose', at, about: file, stored: file.id });
    return {};
  },
};

export const dropFiles: Rule<FileWrites['dropFiles']> = {
  needs: ({ before, most }) => [doomedFilesNeed(before, most)],
  run(work, { before, most }) {
    const { ids, stored } = doomedFiles(work, before, most);
    for (const id of ids) dropFile(work, id);
    return { ids, stored };
  },
};

export const forgetFiles: Rule<FileWrites['forgetFiles']> = {
  needs: () => [],
  run(work, { ids }) {
    for (const id of ids) forgetFile(work, id);
    return {};
  },
};
