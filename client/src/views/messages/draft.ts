import { flag, number, object, optional, text } from '../../chat/form.ts';
import type { Store } from '../../chat/storage.ts';
import type { Room } from '../../store/room.ts';
import { type Clash, keyOf, type Place } from '../context.ts';

/** The words that somebody has begun in a place, as the browser keeps them until they are sent. */
export interface Draft {
  text: string;
  replyTo: number | undefined;
  /** It goes without a preview of its link. */
  bare?: boolean | undefined;
  /** A message that is being edited; the draft waits meanwhile. */
  edit: Edit | undefined;
}

export interface Edit {
  readonly seq: number;
  /** Of the message as it was seen. */
  readonly rev: number;
  readonly text: string;
  readonly clash?: Clash;
}

const clash = object<Exclude<Clash, 'deleted'>>({ text, rev: number });
const draftForm = object<Draft>({
  text,
  replyTo: optional(number),
  bare: optional(flag),
  edit: optional(
    object<Edit>({
      seq: number,
      rev: number,
      text,
      clash: (value) => value === undefined || value === 'deleted' || clash(value),
    }),
  ),
});

const placeOf = (place: Place) => `draft/${keyOf(place)}`;
/** Under which the people are kept who were chosen for it. */
export const picksOf = (place: Place) => `picks/${keyOf(place)}`;

export const keptDraft = (place: Place, store: Store | undefined): Draft | undefined =>
  store?.get(placeOf(place), draftForm);

/** Keeps a draft; one with nothing in it goes, and the people who were chosen go with its text. */
export function keepDraft(place: Place, draft: Draft, store: Store | undefined): void {
  if (draft.text === '' && draft.edit === undefined) store?.delete(picksOf(place));
  if (draft.text === '' && draft.replyTo === undefined && draft.edit === undefined)
    store?.delete(placeOf(place));
  else store?.set(placeOf(place), draft);
}

/** The text that was begun in a room. */
export const draftOf = (room: Room, store: Store | undefined): string | undefined =>
  keptDraft({ room }, store)?.text;
