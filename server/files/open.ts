import type { FilesPlace } from './place.ts';
import type { Storage } from './storage.ts';

/** Loads the module of a storage only when it is used. */
export async function openStorage(place: Exclude<FilesPlace, { kind: 'off' }>): Promise<Storage> {
  if (place.kind === 'dir') return (await import('./folder.ts')).folderStorage(place.folder);
  return (await import('./bucket.ts')).bucketStorage(place);
}
