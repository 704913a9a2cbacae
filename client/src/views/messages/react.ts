import type { Message, Reaction } from '../../../../server/wire/events.ts';
import { hasEnded, voteKeys } from '../../../../server/wire/polls.ts';
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
  const { chat, strings, toast } = context;
  const { room, seq, reactions = [] } = message;
  if (chat.rooms.get(room)?.preview) return toast(strings.text('rooms.joinText'), 'bad');
  const known = reactions.find((reaction) => reaction.emoji === emoji);
  const on = known === undefined || !isMine(known, chat.me?.id);
  const fresh = on ? { message, emoji } : undefined;
  given = fresh;
  setTimeout(() => {
    if (given === fresh) given = undefined;
  }, FRESH_MS);
  await show(context, message, [{ emoji, on }], () =>
    chat.request('message:react', { room, seq, emoji, on }),
  );
}

/** Chooses an option of a poll, or takes the choice back. @param option the number of the option, from 1 */
export async function vote(context: Context, message: Message, option: number): Promise<void> {
  const { chat, strings, toast } = context;
  const { room, seq, poll, reactions = [] } = message;
  if (poll === undefined) return;
  if (chat.rooms.get(room)?.preview) return toast(strings.text('rooms.joinText'), 'bad');
  const keys = voteKeys(poll);
  const isChosen = keys.map((key) => reactions.some((one) => one.emoji === key && isMine(one, chat.me?.id)));
  const wanted = isChosen.map((is, n) => (n + 1 === option ? !is : is && poll.multiple === true));
  const toggled = keys.flatMap((emoji, n) =>
    wanted[n] === isChosen[n] ? [] : [{ emoji, on: wanted[n] === true }],
  );
  const choice = wanted.flatMap((is, n) => (is ? [n + 1] : []));
  const words = () => (hasEnded(poll, strings.now) ? strings.text('poll.ended') : undefined);
  await show(context, message, toggled, () => chat.request('poll:vote', { room, seq, choice }), words);
}

/** Ends a poll or the answers to an event. */
export async function endPoll({ room, seq }: Message, context: Context): Promise<void> {
  const { chat, strings, toast, changed } = context;
  try {
    const { message } = await chat.request('poll:end', { room, seq });
    chat.rooms.get(room)?.timeline.stored(message);
    changed();
  } catch (error) {
    toast(refusal(error, strings), 'bad');
  }
}

/** Shows changed reactions of the user immediately, and reverts them if the request fails. */
async function show(
  { chat, strings, toast, changed }: Context,
  message: Message,
  toggled: readonly { emoji: string; on: boolean }[],
  request: () => Promise<{ message: Message }>,
  failed: () => string | undefined = () => undefined,
): Promise<void> {
  const timeline = chat.rooms.get(message.room)?.timeline;
  const me = chat.me?.id;
  if (timeline === undefined || me === undefined) return;
  const { seq, rev, reactions = [] } = message;
  const changes = toggled.map(({ emoji, on }) => {
    const count = reactions.find((reaction) => reaction.emoji === emoji)?.count ?? 0;
    return { emoji, ...(on ? { count: count + 1, added: [me] } : { count: count - 1, removed: [me] }) };
  });
  timeline.shown({ ...afterChange(message, { seq, rev: rev + 1, changes }, me), rev });
  changed();
  try {
    timeline.stored((await request()).message);
  } catch (error) {
    timeline.shown(message);
    toast(failed() ?? refusal(error, strings), 'bad');
  }
  changed();
}

export function isMine({ mine, users }: Reaction, me = ''): boolean {
  return mine === true || users.includes(me);
}
