import { number, object, optional, text } from '../../chat/form.ts';
import type { Store } from '../../chat/storage.ts';
import { contentForms, type EditedContent, editedForms, type NewContent } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import { type Clash, keyOf, type Place } from '../context.ts';

/** The draft of a room or a thread, without its tray. The browser stores it until it is sent. */
interface KeptDraft extends NewContent {
  /** An edit in progress. The draft remains until the edit ends. */
  readonly edit: Edit | undefined;
}

export interface Edit extends EditedContent {
  readonly seq: number;
  /** The revision of the message that the edit is based on. */
  readonly rev: number;
  /** The content when the edit began. */
  readonly original: EditedContent;
  readonly clash?: Clash;
}

const clash = object<Exclude<Clash, 'deleted'>>({ text, rev: number });
const draftForm = object<KeptDraft>({
  ...contentForms,
  edit: optional(
    object<Edit>({
      ...editedForms,
      seq: number,
      rev: number,
      original: object<EditedContent>(editedForms),
      clash: (value) => value === undefined || value === 'deleted' || clash(value),
    }),
  ),
});

const placeOf = (place: Place) => `draft/${keyOf(place)}`;
/** Key of the users that were picked for mentions in the draft. */
export const picksOf = (place: Place) => `picks/${keyOf(place)}`;

export const keptDraft = (place: Place, store: Store | undefined): KeptDraft | undefined =>
  store?.get(placeOf(place), draftForm);

/** Whether a `storage` event concerns the draft. */
export const ownsDraft = (place: Place, store: Store | undefined, key: string | null): boolean =>
  store?.owns(key, placeOf(place)) === true;

/** Stores a draft, or deletes an empty one. Without any text, the picked users are deleted too. */
export function keepDraft(place: Place, draft: KeptDraft, store: Store | undefined): void {
  if (draft.text === '' && draft.edit === undefined) store?.delete(picksOf(place));
  if (!Object.values(draft).some(Boolean)) store?.delete(placeOf(place));
  else store?.set(placeOf(place), draft);
}

/** The text of the room's draft. */
export const draftOf = (room: Room, store: Store | undefined): string | undefined =>
  keptDraft({ room }, store)?.text;
