import type { Follower } from '../../chat/chat-listener.ts';
import { list, number, object, text } from '../../chat/form.ts';
import { withChoice } from '../../store/own-votes.ts';
import type { Context } from '../context.ts';

/** The data of a `voted` push: the user voted in an anonymous poll, maybe on another device. */
const voted = object<{ room: string; seq: number; choice: number[] }>({
  room: text,
  seq: number,
  choice: list(number),
});

/** Shows the user's votes in anonymous polls, which the events of the room do not name. */
export class OwnVotes implements Follower {
  readonly #context: Pick<Context, 'chat' | 'changed'>;

  constructor(context: Pick<Context, 'chat' | 'changed'>) {
    this.#context = context;
  }

  pushed(name: string, data: unknown): void {
    if (name !== 'voted' || !voted(data)) return;
    const timeline = this.#context.chat.rooms.get(data.room)?.timeline;
    const message = timeline?.get(data.seq);
    if (timeline === undefined || message?.poll === undefined) return;
    timeline.shown(withChoice(message, data.choice));
    this.#context.changed();
  }
}
