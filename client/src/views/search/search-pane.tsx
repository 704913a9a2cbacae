import type { MessagePlace } from '../../chat/notifications.ts';
import type { Context } from '../context.ts';
import type { Speaker } from '../speaker.tsx';
import { SearchPanel } from './search.tsx';

/** Whether messages are looked for, and where; the focus goes back to what opened the search. */
export class SearchPane {
  /** In the room that is shown, or everywhere; undefined while nothing is looked for. */
  where: 'here' | 'everywhere' | undefined;
  readonly #context: Context;
  readonly #jump: (to: MessagePlace) => void;
  readonly #speaker: Speaker;
  #panel: SearchPanel | undefined;
  #opener: Element | null = null;

  constructor(context: Context, jump: (to: MessagePlace) => void, speaker: Speaker) {
    this.#context = context;
    this.#jump = jump;
    this.#speaker = speaker;
  }

  open(where: 'here' | 'everywhere', opener: Element | null): void {
    const open = this.where !== undefined;
    if (!open) this.#opener = opener;
    this.where = where;
    this.#context.draw();
    if (open) this.#panel?.focus();
  }

  /** Is not drawn any more. */
  clear(): void {
    this.where = undefined;
  }

  readonly close = () => {
    this.clear();
    this.#context.draw(this.#opener);
    this.#opener = null;
  };

  /** @param roomInSight - there is a room that "this room" can mean */
  draw(roomInSight: boolean, inert: boolean) {
    if (this.where === undefined) return undefined;
    return (
      <SearchPanel
        context={this.#context}
        everywhere={this.where === 'everywhere' || this.#context.chat.current === undefined}
        roomInSight={roomInSight}
        inert={inert}
        shown={this.#shown}
        setEverywhere={(everywhere) => this.open(everywhere ? 'everywhere' : 'here', null)}
        jump={this.#jump}
        say={(text) => this.#speaker.say(text)}
        close={this.close}
      />
    );
  }

  readonly #shown = (panel: SearchPanel | undefined) => {
    this.#panel = panel;
  };
}
