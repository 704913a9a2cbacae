import type { Message, Reaction } from '../../../../server/wire/events.ts';
import { afterChange } from '../../store/reactions.ts';
import type { Context } from '../context.ts';
import { refusal } from '../refusal.ts';

/** Duration of the animation of a new reaction. */
const FRESH_MS = 340;

let given: { message: Message; emoji: string } | undefined;

/** Whether the user has just given this reaction on this page. */
export function isFresh({ id }: Message, emoji: string): boolean {
  return given?.message.id === id && given.emoji === emoji;
}

/** Gives or takes back a reaction. The change is shown immediately, and reverted if the request fails. */
export async function react(context: Context, message: Message, emoji: string): Promise<void> {
  const { chat, strings, toast, changed } = context;
  const { room, seq, rev, reactions = [] } = message;
  if (chat.rooms.get(room)?.preview) return toast(strings.text('rooms.joinText'), 'bad');
  const timeline = chat.rooms.get(room)?.timeline;
  const me = chat.me?.id;
  if (timeline === undefined || me === undefined) return;
  const known = reactions.find((reaction) => reaction.emoji === emoji);
  const on = known === undefined || !isMine(known, me);
  const count = known?.count ?? 0;
  const change = on ? { count: count + 1, added: [me] } : { count: count - 1, removed: [me] };
  const fresh = on ? { message, emoji } : undefined;
  given = fresh;
  setTimeout(() => {
    if (given === fresh) given = undefined;
  }, FRESH_MS);
  const show = (as: Message) => {
    timeline.shown(as);
    changed();
  };
  const reacted = { seq, rev: rev + 1, changes: [{ emoji, ...change }] };
  show({ ...afterChange(message, reacted, me), rev });
  try {
    const answer = await chat.request('message:react', { room, seq, emoji, on });
    timeline.stored(answer.message);
    changed();
  } catch (error) {
    show(message);
    toast(refusal(error, strings), 'bad');
  }
}

export function isMine({ mine, users }: Reaction, me = ''): boolean {
  return mine === true || users.includes(me);
}
