import { isBeforeEnd } from '../erasure.ts';
import { existing, refuse } from './room-changes.ts';
import type { Rule } from './rule.ts';

export const addFile: Rule<'addFile'> = {
  needs: ({ room, user }) => [
    { what: 'room', id: room },
    { what: 'erasing', user },
  ],
  run(work, { room, user, file, at }) {
    existing(work, room);
    const erasure = work.erasureOf(user);
    // The stage that looks for files may just be over: nobody would find this one.
    if (erasure !== undefined && isBeforeEnd(erasure)) refuse('forbidden', 'the user is being erased');
    work.insertFile(room, { id: file.id, user, state: 'loose', at, about: file, stored: file.id });
    return {};
  },
};

export const dropFiles: Rule<'dropFiles'> = {
  needs: ({ before, most }) => [{ what: 'doomedFiles', before, most }],
  run(work, { before, most }) {
    const { ids, stored } = work.doomedFiles(before, most);
    for (const id of ids) work.dropFile(id);
    return { ids, stored };
  },
};

export const forgetFiles: Rule<'forgetFiles'> = {
  needs: () => [],
  run(work, { ids }) {
    for (const id of ids) work.forgetFile(id);
    return {};
  },
};
